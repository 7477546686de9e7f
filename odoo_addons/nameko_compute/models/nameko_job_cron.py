"""Where no relay runs, a scheduled action does its work for a bounded time."""

from datetime import timedelta

from odoo import api, fields, models

RELAY_LOCK = 7_210_423_120  # held, shared, by every running relay
SECONDS = 50  # of work in one run
RESULTS_AGAIN = timedelta(minutes=1)


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    def _wake(self) -> None:
        """Have this transaction's jobs seen to once it is committed, by a relay or the cron."""
        self._notify()
        if not self._relay_runs():
            self._cron()._trigger()

    @api.model
    def _relay_runs(self) -> bool:
        """Tell whether a relay holds its lock in this database."""
        self.env.cr.execute(
            """
            SELECT 1 FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND objsubid = 1
               AND (classid::bigint << 32) + objid::bigint = %s
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            [RELAY_LOCK],
        )
        return bool(self.env.cr.rowcount)

    @api.model
    def _cron(self) -> models.BaseModel:
        return self.env.ref("nameko_compute.cron_move_jobs").sudo()

    @api.model
    def _cron_move_jobs(self) -> None:
        """Send what is pending and write what is answered, unless a relay does."""
        if self._relay_runs() or not self._has_live_jobs():
            return
        from ..relay.fallback import move_for  # noqa: PLC0415  loads kombu

        # The work goes on in transactions of its own.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        move_for(self.env.cr.dbname, SECONDS)
        self.env.cr.rollback()
        if self._has_live_jobs():
            self._cron()._trigger(fields.Datetime.now() + RESULTS_AGAIN)

    @api.model
    def _has_live_jobs(self) -> bool:
        self.env.cr.execute(
            "SELECT EXISTS (SELECT 1 FROM nameko_job WHERE state = 'pending')"
            " OR EXISTS (SELECT 1 FROM nameko_job WHERE state = 'sent')"
        )
        return bool(self.env.cr.fetchone()[0])
