"""A mixin for models whose records have jobs: it counts, shows and cancels them."""

from typing import Any

from odoo import api, fields, models


class NamekoJobMixin(models.AbstractModel):
    _name = "nameko.job.mixin"
    _description = "Has Jobs"
    _nameko_live = True  # open views of these records reload when a job has changed them

    nameko_job_count = fields.Integer("Jobs", compute="_compute_nameko_job_count")
    nameko_job_outlook = fields.Char("Unfinished Job", compute="_compute_nameko_job_outlook")

    @api.depends_context("uid", "allowed_company_ids")
    def _compute_nameko_job_count(self) -> None:
        """Count the jobs that the user may see; 0 for a user without access to jobs."""
        jobs, counts = self.env["nameko.job"], {}
        if jobs.has_access("read"):
            domain = [("res_model", "=", self._name), ("res_id", "in", self.ids)]
            counts = dict(jobs._read_group(domain, ["res_id"], ["__count"]))
        for record in self:
            record.nameko_job_count = counts.get(record.id, 0)

    @api.depends_context("uid", "lang", "tz", "allowed_company_ids")
    def _compute_nameko_job_outlook(self) -> None:
        """Describe the state of each record's newest unfinished job, if the user may see it."""
        newest = {job.res_id: job for job in self._nameko_unfinished().sorted("id")}
        for record in self:
            job = newest.get(record.id)
            record.nameko_job_outlook = job and job._outlook()

    def _nameko_unfinished(self) -> models.BaseModel:
        """Return the unfinished jobs of these records that the user may see."""
        jobs = self.env["nameko.job"]
        if not (self.ids and jobs.has_access("read")):
            return jobs
        return jobs._unfinished_of(self)

    def action_nameko_cancel(self) -> dict[str, Any]:
        """Cancel the unfinished jobs of these records."""
        self.check_access("read")
        return self._nameko_unfinished().action_cancel()

    def unlink(self) -> bool:
        """Cancel the unfinished jobs of the deleted records, so that services stop them."""
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
