"""Jobs that wait for others, jobs that waited too long, and jobs that are tried again by hand.

What the relay asks for here is bounded in number and passes over rows that others have locked.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import psycopg2.errors

from odoo import api, models
from odoo.exceptions import UserError

from ..exceptions import CallTimeout, JobCancelled, NamekoError, PredecessorFailed, UnknownService
from .nameko_job import LIVE
from .nameko_job_answer import Lost
from .nameko_job_dispatch import NOW, SENDINGS
from .nameko_job_finish import Finish, Row

BATCH = 500
WINDOW = 2_000  # waiting jobs looked at in one step
MOST_NAMED = 500  # ids in one notification, which holds 8,000 bytes
FINISHED = "finished"
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

    # Jobs that wait for others

    @api.model
    def _notify_finished(self, job_ids: Sequence[int]) -> None:
        """Have the relays look, after this commit, at the jobs that wait for these."""
        named = ",".join(map(str, job_ids)) if len(job_ids) <= MOST_NAMED else ""
        self.env.cr.execute("SELECT pg_notify('nameko_job', %s)", [f"{FINISHED}:{named}"])

    @api.model
    @api.private
    def waiting_for(self, job_ids: Collection[int]) -> list[int]:
        """Return ids of jobs that wait for these, some at most."""
        self.env.cr.execute(
            "SELECT DISTINCT job.id FROM nameko_job_predecessor link"
            " JOIN nameko_job job ON job.id = link.job_id"
            " WHERE link.predecessor_id = ANY(%s) AND job.state = 'pending' AND job.is_waiting"
            " LIMIT %s",
            [list(job_ids), WINDOW],
        )
        return [job_id for (job_id,) in self.env.cr.fetchall()]

    @api.model
    @api.private
    def waiting_after(self, job_id: int) -> list[int]:
        """Return the next ids of jobs that wait for others, some at most."""
        self.env.cr.execute(
            "SELECT id FROM nameko_job WHERE state = 'pending' AND is_waiting AND id > %s"
            " ORDER BY id LIMIT %s",
            [job_id, WINDOW],
        )
        return [found for (found,) in self.env.cr.fetchall()]

    @api.model
    @api.private
    def release_waiting(self, job_ids: Collection[int]) -> int:
        """Make those of these jobs ready that wait for nothing any more; return how many."""
        self.env.cr.execute(
            f"""
            UPDATE nameko_job
               SET is_waiting = false, is_ready = (eta IS NULL OR eta <= {NOW}),
                   eta = greatest(eta, {NOW})
             WHERE id IN (SELECT id FROM nameko_job job
                           WHERE id = ANY(%s) AND state = 'pending' AND is_waiting
                             AND NOT {IS_WAITING}
                             FOR NO KEY UPDATE SKIP LOCKED)
            """,  # noqa: S608  constants
            [list(job_ids)],
        )
        return self.env.cr.rowcount

    @api.model
    @api.private
    def forsaken(self, job_ids: Collection[int]) -> list[Lost]:
        """Return those of these jobs that wait for one that failed, and some that wait for them.

        A long row of jobs is taken in several steps, the first first.
        """
        self.env.cr.execute(
            f"""
            WITH RECURSIVE lost(id) AS (
                SELECT id FROM nameko_job job
                 WHERE id = ANY(%s) AND state = 'pending' AND is_waiting
                   AND {HAS_FAILED_PREDECESSOR}
                UNION
                SELECT later.id FROM lost
                  JOIN nameko_job_predecessor link ON link.predecessor_id = lost.id
                  JOIN nameko_job later ON later.id = link.job_id
                 WHERE later.state = 'pending' AND later.is_waiting)
            SELECT uuid FROM (SELECT id FROM lost LIMIT %s) found JOIN nameko_job USING (id)
            """,  # noqa: S608  constants
            [list(job_ids), BATCH],
        )
        return [Lost(uuid, "forsaken") for (uuid,) in self.env.cr.fetchall()]

    # Jobs that waited too long

    @api.model
    @api.private
    def due_moment(self) -> datetime | None:
        """Return the time, if there is a job whose time to answer is over."""
        self.env.cr.execute(  # pylint: disable=sql-injection
            f"SELECT {NOW}, EXISTS (SELECT FROM nameko_job"  # noqa: S608  constants
            f" WHERE state = 'sent' AND deadline <= {NOW})"
        )
        moment, is_due = self.env.cr.fetchone()
        return moment if is_due else None

    @api.model
    @api.private
    def retry_unknown(self) -> int:
        """Send jobs again that found no service: no answer can wait for them."""
        return self._retry_due(f"deadline <= {NOW} AND error_type = 'UnknownService'", {})

    @api.model
    @api.private
    def retry_due(self, moment: datetime, answered: Collection[str]) -> int:
        """Send jobs again whose time to answer was over at this moment; return how many.

        :param answered: uuids of those whose answers are in a relay's hands
        """
        values = {"moment": moment, "answered": list(answered)}
        return self._retry_due("deadline <= %(moment)s AND uuid <> ALL(%(answered)s)", values)

    def _retry_due(self, condition: str, values: dict[str, object]) -> int:
        self.env.cr.execute(
            f"SELECT id FROM nameko_job WHERE state = 'sent' AND {condition}"  # noqa: S608  constants
            " AND attempts < max_attempts ORDER BY deadline LIMIT %(most)s"
            " FOR NO KEY UPDATE SKIP LOCKED",
            {**values, "most": BATCH},
        )
        ids = [job_id for (job_id,) in self.env.cr.fetchall()]
        self.retry_later(ids)
        return len(ids)

    @api.model
    @api.private
    def lost(self, moment: datetime, answered: Collection[str]) -> list[Lost]:
        """Return jobs that failed because their last time to answer was over at this moment.

        :param answered: uuids of those whose answers, or which themselves, are in a relay's hands
        """
        self.env.cr.execute(
            f"SELECT uuid, {SENDINGS} FROM nameko_job"  # noqa: S608  constants
            " WHERE state = 'sent' AND deadline <= %s"
            " AND attempts >= max_attempts AND uuid <> ALL(%s) ORDER BY deadline LIMIT %s"
            " FOR NO KEY UPDATE SKIP LOCKED",
            [moment, list(answered), BATCH],
        )
        return [Lost(uuid, "timeout", attempt) for uuid, attempt in self.env.cr.fetchall()]

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

    def _why_away(self, row: Row) -> NamekoError:
        return UnknownService(
            self._env_of(row)._(
                "The service “%(service)s” has run before, but its queue was gone from the message "
                "broker for as long as the job may take. Have it started, then retry the job.",
                service=row.service,
            )
        )

    # By hand

    def _set_cancelled(self, reason: str) -> None:
        self._finish_with(self._rows_to_cancel(), JobCancelled(reason), "cancelled")
        self._wake()

    @api.model
    def _unfinished_of(self, records: models.BaseModel) -> "NamekoJob":
        domain = [("res_model", "=", records._name), ("res_id", "in", records.ids)]
        return self.search([*domain, ("state", "in", LIVE)])

    def _cancel_of_deleted(self) -> None:
        """Cancel jobs whose records have been deleted: there is no `on_error` to call."""
        error = JobCancelled(self.env._("The record was deleted."))
        rows = self._locked_soon()._rows_to_cancel()
        self._write_finished([Finish(row, error=error, state="cancelled") for row in rows])
        self._wake()

    def _rows_to_cancel(self) -> list[Row]:
        """Lock the unfinished ones, and have the services told."""
        rows, _ = self._lock_free_rows(self.mapped("uuid"))
        live = [row for row in rows.values() if row.state in LIVE]
        self._note_cancelled([row.id for row in live if row.state == "sent"])
        return live

    def _set_pending_again(self) -> "NamekoJob":
        """Begin finished jobs anew, with those that failed because of them; return which.

        A job whose identity key another one has stays as it is.
        """
        jobs = self._with_forsaken()
        try:
            with self.env.cr.savepoint():
                again = jobs._reset_rows()
        except psycopg2.errors.UniqueViolation as error:
            message = self.env._("Another job with the same identity key has been made meanwhile.")
            raise UserError(message) from error
        jobs.invalidate_recordset(flush=False)
        self._wake()
        return again

    def _with_forsaken(self) -> "NamekoJob":
        """Add the jobs that failed because one of these did, theirs, and so on."""
        found = frontier = self
        while frontier:
            frontier = frontier.successor_ids.filtered(
                lambda job: job.error_type == PredecessorFailed.__name__
            )
            frontier = (frontier - found)._of_existing_records()
            found |= frontier
        return found

    def _reset_rows(self) -> "NamekoJob":
        self.env.cr.execute(
            f"""
            UPDATE nameko_job job
               SET state = 'pending', sendings = {SENDINGS}, attempts = 0, progress = 0,
                   eta = NULL, deadline = NULL, is_waiting = false, is_ready = false,
                   cancel_untold = false, sent_at = NULL, done_at = NULL, seconds = NULL,
                   result = NULL, write_tries = 0,
                   has_result = false, error_type = NULL, error_message = NULL
             WHERE id = ANY(%(ids)s) AND state IN ('failed', 'cancelled')
               AND NOT EXISTS (
                   SELECT FROM nameko_job other
                    WHERE other.identity_key = job.identity_key
                      AND other.state IN ('pending', 'sent'))
               AND NOT EXISTS (
                   SELECT FROM nameko_job newer
                    WHERE newer.id = ANY(%(ids)s) AND newer.identity_key = job.identity_key
                      AND newer.id > job.id AND newer.state IN ('failed', 'cancelled'))
            RETURNING id
            """,  # noqa: S608  constants
            {"ids": self.ids},
        )
        again = self.browse(row_id for (row_id,) in self.env.cr.fetchall())
        self.env.cr.execute(
            f"""
            UPDATE nameko_job job
               SET is_waiting = {IS_WAITING}, is_ready = NOT {IS_WAITING},
                   eta = CASE WHEN {IS_WAITING} THEN NULL ELSE {NOW} END
             WHERE id = ANY(%s) AND state = 'pending' AND NOT is_ready AND NOT is_waiting
               AND eta IS NULL
            """,  # noqa: S608  constants
            [again.ids],
        )
        return again
