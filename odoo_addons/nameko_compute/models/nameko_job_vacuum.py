"""Finished jobs are deleted when nobody asks for them any more."""

from odoo import api, models

from ..parameters import KEEP_DAYS

BATCH = 10_000


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.autovacuum
    def _gc_finished(self) -> tuple[int, int]:
        """Delete a batch of the jobs that finished too long ago.

        :return: how many, and 1 if there may be more
        """
        self.env.cr.execute(
            """
            DELETE FROM nameko_job WHERE id IN (
                SELECT job.id FROM nameko_job job
                 WHERE job.state IN ('done', 'failed', 'cancelled')
                   AND job.done_at < now() AT TIME ZONE 'UTC' - make_interval(secs => %s)
                   AND NOT EXISTS (
                       SELECT 1 FROM nameko_job_predecessor link
                         JOIN nameko_job later ON later.id = link.job_id
                        WHERE link.predecessor_id = job.id AND later.state IN ('pending', 'sent'))
                 ORDER BY job.done_at LIMIT %s)
            """,
            [KEEP_DAYS.read(self.env) * 86400, BATCH],
        )
        deleted = self.env.cr.rowcount
        self.env["nameko.job"].invalidate_model(flush=False)
        return deleted, int(deleted == BATCH)
