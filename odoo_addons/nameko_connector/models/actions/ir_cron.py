"""Scheduled actions that call a service; Odoo's form offers only code."""

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
        """Compute the action's fields here: a scheduled action has no action before it is saved."""
        take_names(self)
        offer_parameters(self)
        self.nameko_signature = self.nameko_method_id.signature
        self.nameko_doc = self.nameko_method_id.doc

    @api.onchange("model_id")
    def _onchange_nameko_model_id(self) -> None:
        """Set the model for the domain editor before the scheduled action is saved."""
        self.model_name = self.model_id.model

    def action_nameko_try(self) -> dict[str, Any]:
        """Open the trial of the action: `_inherits` provides its fields, not its methods."""
        return self.ir_actions_server_id.action_nameko_try()

    def _callback(self, cron_name: str, server_action_id: int) -> None:
        """Mark in the context that the scheduler runs the action, as an administrator allowed."""
        action = self.env["ir.actions.server"].sudo().browse(server_action_id)
        if action.state == KIND:
            self = self.with_context(**{SCHEDULED: BY_THE_SCHEDULER})  # noqa: PLW0642
        return super()._callback(cron_name, server_action_id)
