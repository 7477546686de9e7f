"""Try a server action on a record: call the service, but write nothing into the record."""

import time
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..action.arguments import requests
from ..action.outcomes import shown
from ..broker.amqp.request import Request
from ..models.actions.ir_actions_server import MOST_SECONDS_NOW
from ..tools.client_actions import dialog
from ..tools.texts import clean


class NamekoActionTrial(models.TransientModel):
    _name = "nameko.action.trial"
    _description = "Try a Nameko Call"

    action_id = fields.Many2one(
        "ir.actions.server", required=True, readonly=True, ondelete="cascade"
    )
    model_id = fields.Many2one(related="action_id.model_id")
    record_ref = fields.Reference(
        selection="_selection_model",
        string="Record",
        help="Empty: a call without a record.",
    )
    request = fields.Text(readonly=True)
    answer = fields.Text(readonly=True)
    written = fields.Text("Would Be Written", readonly=True)
    error = fields.Text(readonly=True)
    milliseconds = fields.Float("Time (ms)", digits=(16, 2), readonly=True)

    @api.model
    def _selection_model(self) -> list[tuple[str, str]]:
        if not self.has_access("create"):
            return []
        models_ = self.env["ir.model"].sudo().search([("transient", "=", False)])
        return [(model.model, model.name) for model in models_]

    @api.constrains("action_id")
    def _check_action(self) -> None:
        """Raise AccessError if the user may not read the action."""
        self.sudo(False).action_id.check_access("read")

    def action_try(self) -> dict[str, Any]:
        """Call the service now, also for an action that runs later, and show the outcome."""
        self.ensure_one()
        self.write(dict.fromkeys(("request", "answer", "written", "error", "milliseconds"), False))
        try:
            self._try()
        except UserError as error:
            self.error = clean(str(error))
        return self._shown_again()

    def _try(self) -> None:
        self.action_id.check_access("read")
        action, target = self.action_id.sudo(), self._target()
        action._nameko_check_access(target)
        (request,) = requests(action, [target]).values()
        if isinstance(request, Exception):
            raise request
        self.request = clean(_shown_request(request))
        answer = self._timed_answer(request)
        self.answer = clean(shown(answer))
        self.written = clean(self._would_be_written(action._nameko_value(target, answer)))

    def _target(self) -> models.BaseModel:
        """Return the target of the trial, with this user's rights."""
        model = self.env[self.sudo().model_id.model]
        if not self.record_ref:
            return model
        if self.record_ref._name != model._name:
            raise UserError(self.env._("Choose a record of the action's model."))
        if not self.record_ref.exists():
            raise UserError(self.env._("This record was deleted. Choose another one."))
        return self.record_ref

    def _timed_answer(self, request: Request) -> Any:
        started = time.perf_counter()
        timeout = min(self.sudo().action_id.nameko_timeout, MOST_SECONDS_NOW) or None
        (answer,) = self.env["nameko.rpc"].call_many([request], timeout=timeout)
        self.milliseconds = (time.perf_counter() - started) * 1000
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _would_be_written(self, value: Any) -> str:
        action = self.sudo().action_id
        if action.nameko_result_kind == "field":
            return f"{action.nameko_result_field_id.field_description}: {value}"
        kind = action._fields["nameko_result_kind"]
        label = dict(kind._description_selection(self.env))[action.nameko_result_kind]
        return f"{label}: {shown(value)}" if action.nameko_result_kind == "chatter" else label

    def _shown_again(self) -> dict[str, Any]:
        return dialog(self, self.env._("Try It"))


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    def action_nameko_try(self) -> dict[str, Any]:
        """Open the trial with the first record of the model."""
        self.ensure_one()
        self.check_access("read")
        record = self.env[self.sudo().model_id.model].search([], limit=1)
        trial = self.env["nameko.action.trial"].create(
            {"action_id": self.id, "record_ref": record and f"{record._name},{record.id}"}
        )
        return trial._shown_again()


def _shown_request(request: Request) -> str:
    arguments = {"args": list(request.args), "kwargs": dict(request.kwargs)}
    return f"{request}\n{shown(arguments)}"
