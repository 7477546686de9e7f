"""Scheduled actions that call a service: Odoo's form offers code alone."""

from typing import Any

from odoo import api, fields, models

from ..catalogue.nameko_method_choice import offer_parameters, take_names
from .ir_actions_server import KIND, MANAGER
from .ir_actions_server_run import BY_THE_SCHEDULER, SCHEDULED


class IrCron(models.Model):
    _inherit = "ir.cron"

    nameko_scheduled_states = fields.Json(compute="_compute_nameko_scheduled_states")

    def _compute_nameko_scheduled_states(self) -> None:
        is_manager = self.env.user.has_group(MANAGER)
        self.nameko_scheduled_states = ["code", KIND] if is_manager else ["code"]

    @api.onchange("nameko_method_id")
    def _onchange_nameko_method_id(self) -> None:
        """Do what the action computes: a schedule that is not saved yet has no action."""
        take_names(self)
        offer_parameters(self)
        self.nameko_signature = self.nameko_method_id.signature
        self.nameko_doc = self.nameko_method_id.doc

    @api.onchange("model_id")
    def _onchange_nameko_model_id(self) -> None:
        """Let the records be chosen before the schedule is saved."""
        self.model_name = self.model_id.model

    def action_nameko_try(self) -> dict[str, Any]:
        """Try the action that is scheduled: fields are inherited from it, methods are not."""
        return self.ir_actions_server_id.action_nameko_try()

    def _callback(self, cron_name: str, server_action_id: int) -> None:
        """Have the action know that it runs on schedule: an administrator has allowed that."""
        action = self.env["ir.actions.server"].sudo().browse(server_action_id)
        if action.state == KIND:
            self = self.with_context(**{SCHEDULED: BY_THE_SCHEDULER})  # noqa: PLW0642
        return super()._callback(cron_name, server_action_id)
