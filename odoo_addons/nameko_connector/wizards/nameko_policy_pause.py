"""A wizard in which managers pause a service."""

from typing import Any

from odoo import fields, models


class NamekoPolicyPause(models.TransientModel):
    _name = "nameko.policy.pause"
    _description = "Pause a Service"

    service_id = fields.Many2one("nameko.service", required=True, ondelete="cascade")
    reason = fields.Char(help="It is shown at the jobs that wait.")
    until = fields.Datetime(help="Then it resumes by itself. Empty: no end.")

    def action_pause(self) -> dict[str, Any]:
        """Pause the service."""
        self.ensure_one()
        policies = self.env["nameko.policy"]
        policies._pause(self.service_id.name, self.reason or "", self.until or None)
        return {"type": "ir.actions.act_window_close"}
