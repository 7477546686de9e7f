"""A wizard in which managers change the time and priority of pending jobs."""

from typing import Any

from odoo import api, fields, models

from ..job_store.dispatch import reschedule
from ..models.jobs.nameko_job import DEFAULT_PRIORITY
from ..tools.fields import Int4


class NamekoJobReschedule(models.TransientModel):
    _name = "nameko.job.reschedule"
    _description = "Reschedule Jobs"

    job_ids = fields.Many2many("nameko.job", required=True)
    priority = Int4(default=DEFAULT_PRIORITY, help="The lower, the earlier.")
    eta = fields.Datetime("Not Before", help="Empty: as soon as possible.")

    @api.model
    def default_get(self, fields: list[str]) -> dict[str, Any]:
        """Fill in the selected jobs."""
        self.browse().check_access("create")
        selected = self.env.context.get("active_ids", [])
        return {"job_ids": [(6, 0, selected)], **super().default_get(fields)}

    def action_reschedule(self) -> dict[str, Any]:
        """Set the time and priority of the pending jobs."""
        self.ensure_one()
        mine, skipped = self.job_ids._locked_for_user()
        pending = mine.filtered(lambda job: job.state == "pending")
        pending._reschedule(self.priority, self.eta or None)
        counted = self.job_ids._counted(
            self.env._("%s rescheduled.", len(pending)),
            [*skipped, (len(mine - pending), self.env._("%s skipped: they do not wait."))],
        )
        counted["params"]["next"] = {"type": "ir.actions.act_window_close"}
        return counted


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    def _reschedule(self, priority: int, eta: Any) -> None:
        reschedule(self.env.cr, self.ids, priority, eta)
        self.invalidate_recordset(flush=False)
        self._wake()
