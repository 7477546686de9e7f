"""Scheduled actions that call a service: Odoo's form offers code alone."""

from typing import Any

from odoo import api, fields, models

from .ir_actions_server import KIND, MANAGER, offer_parameters, take_names


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

    def action_nameko_try(self) -> dict[str, Any]:
        """Try the action that is scheduled: fields are inherited from it, methods are not."""
        return self.ir_actions_server_id.action_nameko_try()
