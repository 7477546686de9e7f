"""Where no relay runs, a scheduled action does its work for a bounded time."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError

RELAY_LOCK = 7_210_423_120  # held, shared, by every running relay
RELAY_NAME = "nameko_relay-"  # and an id: what a relay calls its sessions
FROZEN_SECONDS = 30  # without a sign of life, after which a relay counts as frozen
RELAYS = """
    SELECT activity.application_name, activity.state_change
      FROM pg_locks lock JOIN pg_stat_activity activity ON activity.pid = lock.pid
     WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
       AND (lock.classid::bigint << 32) + lock.objid::bigint = %s
       AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
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
        """Tell whether a relay works in this database: one that is frozen does not."""
        return self.running_relays(FROZEN_SECONDS) > 0

    @api.model
    @api.private
    def running_relays(self, seconds: float) -> int:
        """Return how many relays have shown within so many seconds that they work."""
        self.env.cr.execute(
            f"SELECT count(*) FROM ({RELAYS}) relay"  # noqa: S608  constants
            " WHERE coalesce(state_change > now() - interval '1 second' * %s, true)",
            [RELAY_LOCK, seconds],
        )
        return int(self.env.cr.fetchone()[0])

    @api.model
    @api.private
    def end_frozen_relays(self) -> int:
        """End the sessions of relays that show nothing any more; return how many.

        What they have locked becomes free; should one go on, it connects again.
        """
        self.env.cr.execute(
            f"""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND application_name IN (
                   SELECT application_name FROM ({RELAYS}) relay
                    WHERE state_change < now() - interval '1 second' * %s
                      AND starts_with(application_name, %s))
            """,  # noqa: S608  constants
            [RELAY_LOCK, FROZEN_SECONDS, RELAY_NAME],
        )
        return self.env.cr.rowcount

    @api.model
    def _cron(self) -> models.BaseModel:
        return self.env.ref("nameko_compute.cron_move_jobs").sudo()

    @api.model
    def _cron_move_jobs(self) -> None:
        """Send what is pending and write what is answered, unless a relay does."""
        if not self.env.su:
            raise AccessError(self.env._("Only the scheduler does this."))
        if self._relay_runs() or not self._has_live_jobs():
            return
        self.end_frozen_relays()
        from ..relay.fallback import move_for  # noqa: PLC0415  loads kombu

        # The work goes on in transactions of its own.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        move_for(self.env.cr.dbname, SECONDS)
        self.env.cr.rollback()
        if self._has_live_jobs():
            self._cron()._trigger(fields.Datetime.now() + RESULTS_AGAIN)

    @api.model
    def _has_live_jobs(self) -> bool:
        """Tell whether there is anything to do, now or later."""
        self.env.cr.execute(
            "SELECT EXISTS (SELECT 1 FROM nameko_job WHERE state = 'pending')"
            " OR EXISTS (SELECT 1 FROM nameko_job WHERE state = 'sent')"
        )
        return bool(self.env.cr.fetchone()[0]) or self.has_cancelled()
