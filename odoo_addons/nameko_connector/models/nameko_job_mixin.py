"""For models whose records have jobs: a counter, the action of a smart button, and their end."""

from typing import Any

from odoo import api, fields, models


class NamekoJobMixin(models.AbstractModel):
    _name = "nameko.job.mixin"
    _description = "Has Jobs"
    _nameko_live = True  # open views of these records reload when a job has changed them

    nameko_job_count = fields.Integer("Jobs", compute="_compute_nameko_job_count")

    @api.depends_context("uid", "allowed_company_ids")
    def _compute_nameko_job_count(self) -> None:
        """Count the jobs that the user may see; none for who may see no jobs at all."""
        jobs, counts = self.env["nameko.job"], {}
        if jobs.has_access("read"):
            domain = [("res_model", "=", self._name), ("res_id", "in", self.ids)]
            counts = dict(jobs._read_group(domain, ["res_id"], ["__count"]))
        for record in self:
            record.nameko_job_count = counts.get(record.id, 0)

    def unlink(self) -> bool:
        """Cancel the unfinished jobs of the deleted records; services stop working for them."""
        jobs = self.env["nameko.job"].sudo()._unfinished_of(self)
        result = super().unlink()
        if jobs:
            jobs._cancel_of_deleted()
        return result

    def action_nameko_jobs(self) -> dict[str, Any]:
        """Show the jobs of these records."""
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("nameko_connector.nameko_job_action")
        action["domain"] = [("res_model", "=", self._name), ("res_id", "in", self.ids)]
        action["context"] = {}
        return action
