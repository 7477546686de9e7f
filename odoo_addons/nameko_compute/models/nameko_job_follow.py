"""Jobs that wait for others, jobs that waited too long, and jobs that are tried again by hand."""

from collections.abc import Sequence

import psycopg2.errors

from odoo import api, models
from odoo.exceptions import UserError

from ..exceptions import CallTimeout, JobCancelled, NamekoError, PredecessorFailed, UnknownService
from .nameko_job import LIVE
from .nameko_job_apply import Finish, Row
from .nameko_job_dispatch import NOW

BATCH = 500
ROW = ", ".join(f"job.{column}" for column in Row.__annotations__)
IS_WAITING = """
    EXISTS (SELECT 1 FROM nameko_job_predecessor link
              JOIN nameko_job earlier ON earlier.id = link.predecessor_id
             WHERE link.job_id = job.id AND earlier.state <> 'done')
"""
HAS_FAILED_PREDECESSOR = """
    EXISTS (SELECT 1 FROM nameko_job_predecessor link
              JOIN nameko_job earlier ON earlier.id = link.predecessor_id
             WHERE link.job_id = job.id AND earlier.state IN ('failed', 'cancelled'))
"""


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    def _notify_finished(self) -> None:
        """Have the relays look, after this commit, at the jobs that wait for others."""
        self.env.cr.execute("SELECT pg_notify('nameko_job', 'finished')")

    @api.model
    def _release_waiting(self, job_ids: Sequence[int] | None = None) -> int:
        """Make jobs ready, of these or of all, that wait for nothing any more; gives how many."""
        self.env.cr.execute(
            f"""
            UPDATE nameko_job job
               SET is_waiting = false, is_ready = (eta IS NULL OR eta <= {NOW})
             WHERE state = 'pending' AND is_waiting AND (%(all)s OR id = ANY(%(ids)s))
               AND NOT {IS_WAITING}
            """,  # noqa: S608  constants
            {"all": job_ids is None, "ids": list(job_ids or ())},
        )
        return self.env.cr.rowcount

    @api.model
    @api.private
    def release_waiting(self) -> int:
        return self._release_waiting()

    @api.model
    @api.private
    def fail_forsaken(self, most: int = BATCH, *, tell: bool = True) -> int:
        """Fail jobs that wait for one that has failed; gives how many.

        :param tell: whether `on_error` is called
        """
        condition = f"job.state = 'pending' AND job.is_waiting AND {HAS_FAILED_PREDECESSOR}"
        text = self.env._("A job that it waited for has failed or was cancelled.")
        lost = [(row, PredecessorFailed(text)) for row in self._lock_some(condition, most)]
        finished = (
            self._tell_errors(lost) if tell else [Finish(r, error=error) for r, error in lost]
        )
        self._write_finished(finished)
        return len(lost)

    @api.model
    @api.private
    def expire(self, most: int = BATCH, *, tell: bool = True) -> int:
        """Send jobs again whose time to answer is over, or fail them; gives how many.

        :param tell: whether `on_error` is called
        """
        rows = self._lock_some(f"job.state = 'sent' AND job.deadline <= {NOW}", most)
        self.retry_later([row.id for row in rows if row.attempts < row.max_attempts])
        lost = [(r, self._why_lost(r)) for r in rows if r.attempts >= r.max_attempts]
        finished = (
            self._tell_errors(lost) if tell else [Finish(r, error=error) for r, error in lost]
        )
        self._write_finished(finished)
        return len(rows)

    @api.model
    def _lock_some(self, condition: str, most: int) -> list[Row]:
        self.env.cr.execute(
            f"SELECT {ROW} FROM nameko_job job WHERE {condition}"  # noqa: S608  constants
            " ORDER BY job.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [most],
        )
        return [Row(*values) for values in self.env.cr.fetchall()]

    def _why_lost(self, row: Row) -> NamekoError:
        env, attempts = self._env_of(row), row.attempts
        if row.error_type == "UnknownService":
            return UnknownService(
                env._(
                    "The service “%(service)s” was not known to the message broker at any of "
                    "%(attempts)s attempts. Have it started, then retry the job.",
                    service=row.service,
                    attempts=attempts,
                )
            )
        return CallTimeout(
            env._(
                "%(service)s.%(method)s did not answer any of %(attempts)s attempts in time. It "
                "may have been executed. Look at the service, then retry the job.",
                service=row.service,
                method=row.method,
                attempts=attempts,
            )
        )

    def _set_cancelled(self, reason: str) -> None:
        rows = self._lock_rows(self.mapped("uuid")).values()
        error = JobCancelled(reason)
        self._write_finished(
            [self._tell_error(row, error, "cancelled") for row in rows if row.state in LIVE]
        )
        self._wake()

    def _set_pending_again(self) -> None:
        """Begin finished jobs anew, with those that failed because of them."""
        jobs = self._with_forsaken()
        try:
            with self.env.cr.savepoint():
                jobs._reset_rows()
        except psycopg2.errors.UniqueViolation as error:
            message = self.env._("Another job with the same identity key has been made meanwhile.")
            raise UserError(message) from error
        jobs.invalidate_recordset(flush=False)
        self._wake()

    def _with_forsaken(self) -> "NamekoJob":
        """Add the jobs that failed because one of these did, theirs, and so on."""
        found = frontier = self
        while frontier:
            frontier = frontier.successor_ids.filtered(
                lambda job: job.error_type == PredecessorFailed.__name__
            )
            frontier -= found
            found |= frontier
        return found

    def _reset_rows(self) -> None:
        self.env.cr.execute(
            """
            UPDATE nameko_job
               SET state = 'pending', attempts = 0, progress = 0, eta = NULL, deadline = NULL,
                   is_waiting = false, is_ready = false, done_at = NULL, seconds = NULL,
                   result = NULL,
                   has_result = false, error_type = NULL, error_message = NULL
             WHERE id = ANY(%s) AND state IN ('failed', 'cancelled')
            """,
            [self.ids],
        )
        self.env.cr.execute(
            f"""
            UPDATE nameko_job job SET is_waiting = {IS_WAITING}, is_ready = NOT {IS_WAITING}
             WHERE id = ANY(%s) AND state = 'pending' AND NOT is_ready AND NOT is_waiting
               AND eta IS NULL
            """,  # noqa: S608  constants
            [self.ids],
        )
