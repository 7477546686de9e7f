"""A wizard in which managers call a method of a service with arguments that they type."""

import time
from typing import Any

from odoo import fields, models
from odoo.exceptions import UserError

from ..action.outcomes import shown
from ..broker.amqp.request import Request
from ..models.actions.ir_actions_server import MOST_SECONDS_NOW
from ..tools.client_actions import dialog
from ..tools.texts import clean, pretty
from .json_arguments import NAMED_HELP, POSITIONAL_HELP, parsed

BY_NAME = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


class NamekoMethodTrial(models.TransientModel):
    _name = "nameko.method.trial"
    _description = "Try a Method"

    method_id = fields.Many2one("nameko.method", required=True, readonly=True, ondelete="cascade")
    doc = fields.Text(related="method_id.doc")
    signature = fields.Char(related="method_id.signature")
    positional = fields.Text("Arguments by Position", default="[]", help=POSITIONAL_HELP)
    named = fields.Text("Arguments by Name", default="{}", help=NAMED_HELP)
    answer = fields.Text(readonly=True)
    error = fields.Text(readonly=True)
    milliseconds = fields.Float("Time (ms)", digits=(16, 2), readonly=True)

    def action_try(self) -> dict[str, Any]:
        """Call the method now, and show its answer or error."""
        self.ensure_one()
        self.write(dict.fromkeys(("answer", "error", "milliseconds"), False))
        try:
            answer = self._timed_answer()
            nothing = self.env._("The method ran and returned nothing.")
            self.answer = nothing if answer is None else clean(shown(answer))
        except UserError as error:
            self.error = clean(str(error))
        return self._shown_again()

    def _timed_answer(self) -> Any:
        arguments, named = parsed(self, "positional", list), parsed(self, "named", dict)
        request = Request(self.method_id.service, self.method_id.name, tuple(arguments), named)
        started = time.perf_counter()
        (answer,) = self.env["nameko.rpc"].call_many([request], timeout=MOST_SECONDS_NOW)
        self.milliseconds = (time.perf_counter() - started) * 1000
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _shown_again(self) -> dict[str, Any]:
        return dialog(self, self.env._("Try a Method"))


class NamekoMethod(models.Model):
    _inherit = "nameko.method"

    def action_try(self) -> dict[str, Any]:
        """Open the trial, and fill in the names of required parameters."""
        self.ensure_one()
        self.check_access("read")
        required = [each for each in self.parameters or [] if "default" not in each]
        named = {each["name"]: None for each in required if each["kind"] in BY_NAME}
        trial = self.env["nameko.method.trial"].create(
            {"method_id": self.id, "named": pretty(named)}
        )
        return trial._shown_again()

    def action_make_action(self) -> dict[str, Any]:
        """Open the form of a new server action that calls the method."""
        self.ensure_one()
        self.check_access("read")
        form = self.env.ref("nameko_connector.nameko_action_view_form")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("New Action"),
            "res_model": "ir.actions.server",
            "views": [(form.id, "form")],
            "context": {"default_state": "nameko", "default_nameko_method_id": self.id},
        }
