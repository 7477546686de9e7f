"""A manager's means to have pending jobs run earlier or later."""

from typing import Any

from odoo import api, fields, models

from ..models.nameko_job import DEFAULT_PRIORITY
from ..models.nameko_job_dispatch import NOW


class NamekoJobReschedule(models.TransientModel):
    _name = "nameko.job.reschedule"
    _description = "Reschedule Jobs"

    job_ids = fields.Many2many("nameko.job", required=True)
    priority = fields.Integer(default=DEFAULT_PRIORITY, help="The lower, the earlier.")
    eta = fields.Datetime("Not Before", help="Empty: as soon as possible.")

    @api.model
    def default_get(self, fields: list[str]) -> dict[str, Any]:
        """Take the jobs that are selected."""
        selected = self.env.context.get("active_ids", [])
        return {"job_ids": [(6, 0, selected)], **super().default_get(fields)}

    def action_reschedule(self) -> None:
        """Give the pending ones of the jobs another time and priority."""
        self.ensure_one()
        self.job_ids.check_access("read")
        self.job_ids.sudo()._reschedule(self.priority, self.eta or None)


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    def _reschedule(self, priority: int, eta: Any) -> None:
        self.env.cr.execute(
            f"""
            UPDATE nameko_job
               SET priority = %(priority)s, eta = %(eta)s,
                   is_ready = NOT is_waiting AND coalesce(%(eta)s <= {NOW}, true)
             WHERE id = ANY(%(ids)s) AND state = 'pending'
            """,  # noqa: S608  constants
            {"priority": priority, "eta": eta, "ids": self.ids},
        )
        self.invalidate_recordset(flush=False)
        self._wake()
