"""For models whose records have jobs: a counter, and the action of a smart button."""

from typing import Any

from odoo import fields, models


class NamekoJobMixin(models.AbstractModel):
    _name = "nameko.job.mixin"
    _description = "Has Jobs"

    nameko_job_count = fields.Integer("Jobs", compute="_compute_nameko_job_count")

    def _compute_nameko_job_count(self) -> None:
        domain = [("res_model", "=", self._name), ("res_id", "in", self.ids)]
        groups = self.env["nameko.job"]._read_group(domain, ["res_id"], ["__count"])
        counts = dict(groups)
        for record in self:
            record.nameko_job_count = counts.get(record.id, 0)

    def action_nameko_jobs(self) -> dict[str, Any]:
        """Show the jobs of these records."""
        action = self.env["ir.actions.act_window"]._for_xml_id("nameko_compute.nameko_job_action")
        action["domain"] = [("res_model", "=", self._name), ("res_id", "in", self.ids)]
        action["context"] = {}
        return action
