"""Jobs that were cancelled after they were sent: services stop working for them when told so."""

from collections.abc import Collection

from odoo import api, fields, models

MOST_TOLD = 500  # jobs at a time


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    cancel_untold = fields.Boolean(
        readonly=True, help="It was cancelled when it was sent, and the services do not know yet."
    )

    _cancel_index = models.Index("(id) WHERE cancel_untold")

    @api.model
    def _note_cancelled(self, job_ids: Collection[int]) -> None:
        """Have the services told that these jobs, which they may work on, were cancelled."""
        if job_ids:
            self.env.cr.execute(
                "UPDATE nameko_job SET cancel_untold = true WHERE id = ANY(%s)", [list(job_ids)]
            )

    @api.model
    @api.private
    def has_cancelled(self) -> bool:
        """Tell whether services are to be told of cancelled jobs."""
        self.env.cr.execute("SELECT EXISTS (SELECT FROM nameko_job WHERE cancel_untold)")
        return bool(self.env.cr.fetchone()[0])

    @api.model
    @api.private
    def take_cancelled(self) -> list[str]:
        """Return some jobs of which services are to be told in this transaction."""
        self.env.cr.execute(
            """
            UPDATE nameko_job SET cancel_untold = false
             WHERE id IN (SELECT id FROM nameko_job WHERE cancel_untold
                           ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
            RETURNING uuid
            """,
            [MOST_TOLD],
        )
        return [uuid for (uuid,) in self.env.cr.fetchall()]
