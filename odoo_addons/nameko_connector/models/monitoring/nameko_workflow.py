"""Workflows: jobs that wait for others, drawn in the forms of jobs and batches."""

from collections.abc import Sequence
from typing import Any

from odoo import api, fields, models

from ...job_store.monitoring import workflow as store

MOST_SHOWN = 60  # jobs
MOST_LOOKED_AT = 2_000  # jobs of a batch; larger batches have no drawing, as it is reloaded often


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    workflow = fields.Json(compute="_compute_workflow")

    @api.depends("state", "predecessor_ids", "successor_ids")
    @api.depends_context("uid")
    def _compute_workflow(self) -> None:
        for job in self:
            is_linked = job._origin and (job.predecessor_ids or job.successor_ids)
            ids = (
                store.linked_with(self.env.cr, job._origin.id, MOST_SHOWN + 1) if is_linked else []
            )
            job.workflow = self._workflow(ids)

    @api.model
    def _workflow(self, job_ids: Sequence[int]) -> dict[str, Any] | bool:
        """Return the data of the widget `nameko_workflow` for the jobs that the user may read.

        jobs: a {"id", "name", "state", "label", "record"} for each; links: pairs of ids, the
        predecessor first; is_whole: whether all jobs are included
        """
        jobs = self.browse(job_ids[:MOST_SHOWN]).exists()._filtered_access("read")
        links = store.links_among(self.env.cr, jobs.ids)
        if not links:
            return False
        labels = dict(self._fields["state"]._description_selection(self.env))
        return {
            "jobs": [
                {
                    "id": job.id,
                    "name": job.display_name,
                    "state": job.state,
                    "label": labels[job.state],
                    "record": job.record_name or "",
                }
                for job in jobs
            ],
            "links": links,
            "is_whole": len(job_ids) <= MOST_SHOWN,
        }


class NamekoBatch(models.Model):
    _inherit = "nameko.batch"

    workflow = fields.Json(compute="_compute_workflow")

    @api.depends("state", "left_count")
    @api.depends_context("uid")
    def _compute_workflow(self) -> None:
        jobs = self.env["nameko.job"]
        for batch in self:
            is_drawn = batch.id and batch.total <= MOST_LOOKED_AT
            ids = store.linked_in_batch(self.env.cr, batch.id, MOST_SHOWN + 1) if is_drawn else []
            batch.workflow = jobs._workflow(ids)
