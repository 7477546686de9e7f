"""Jobs on their way out: which are due, and what became of those that were published.

All of it is SQL for the relay, in transactions of level READ COMMITTED: with REPEATABLE READ, two
relays would abort each other's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from odoo import api, models
from odoo.tools import SQL

from ..job_request import ResultsAs
from .nameko_job import READY

NOW = "clock_timestamp() AT TIME ZONE 'UTC'"
GRACE = 5  # s after its timeout in which a reply that was under way may come
# The delay before the next attempt: the last one counts for all further attempts.
NEXT_DELAY = """
    (string_to_array(retry_delays, ',')::float[])[
        least(greatest(attempts, 1), array_length(string_to_array(retry_delays, ','), 1))]
"""
# The results of the jobs that a job waited for, as JSON, in order; NULL where it waited for none.
RESULTS_BEFORE = """
    (SELECT array_agg(earlier.result ORDER BY link.sequence)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id)
"""
AFTER_DELAY = f"{NOW} + make_interval(secs => coalesce({NEXT_DELAY}, 0))"


@dataclass(frozen=True)
class Claimed:
    """A job locked by this transaction, to be published."""

    id: int
    uuid: str
    service: str
    method: str
    arguments: str
    user_id: int
    company_id: int
    language: str | None
    timeout: float
    results_as: ResultsAs
    results_before: Sequence[str] | None


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def read_committed(self) -> None:
        """Set the level of a transaction that has just begun.

        It need not wait for the disk: what a crash undoes leaves jobs pending, to be sent again.
        """
        self.env.cr.execute(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off"
        )

    @api.model
    @api.private
    def rooms(self, most: int) -> dict[str, int]:
        """Give each service with ready jobs the number of jobs that may be sent to it now."""
        self.env.cr.execute(
            f"""
            WITH RECURSIVE ready(service) AS (
                (SELECT service FROM nameko_job WHERE {READY} ORDER BY service LIMIT 1)
                UNION ALL
                SELECT (SELECT next.service FROM nameko_job next
                         WHERE {READY} AND next.service > ready.service
                         ORDER BY next.service LIMIT 1)
                  FROM ready WHERE ready.service IS NOT NULL)
            SELECT service, %s - (SELECT count(*) FROM nameko_job sent
                                   WHERE sent.state = 'sent' AND sent.service = ready.service)
              FROM ready WHERE service IS NOT NULL
            """,  # noqa: S608  constants
            [most],
        )
        return {service: room for service, room in self.env.cr.fetchall() if room > 0}

    @api.model
    @api.private
    def claim(self, service: str, most: int) -> list[Claimed]:
        """Lock ready jobs of a service, the most urgent and oldest first."""
        columns = [field for field in Claimed.__annotations__ if field != "results_before"]
        self.env.cr.execute(
            f"""
            SELECT {", ".join(columns)}, {RESULTS_BEFORE} FROM nameko_job job
             WHERE {READY} AND service = %s
             ORDER BY priority, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
            """,  # noqa: S608  constants
            [service, most],
        )
        return [Claimed(*row) for row in self.env.cr.fetchall()]

    @api.model
    @api.private
    def mark_sent(self, job_ids: Sequence[int]) -> None:
        """Note that these are published."""
        self._update_rows(
            job_ids,
            f"""
            state = 'sent', is_ready = false, attempts = attempts + 1, progress = 0,
            eta = NULL, error_type = NULL, sent_at = {NOW},
            deadline = {NOW} + make_interval(secs => timeout + {GRACE})
            """,
        )

    @api.model
    @api.private
    def mark_unroutable(self, job_ids: Sequence[int]) -> None:
        """Note that no queue took these: their time to answer is over."""
        self._update_rows(job_ids, f"error_type = 'UnknownService', deadline = {NOW}")

    @api.model
    @api.private
    def mark_refused(self, job_ids: Sequence[int]) -> None:
        """Note that the broker did not take these: that was no attempt."""
        self._update_rows(job_ids, "attempts = attempts - 1, sent_at = NULL")
        self.retry_later(job_ids)

    @api.model
    @api.private
    def retry_later(self, job_ids: Sequence[int]) -> None:
        """Have these sent again after their delay."""
        self._update_rows(job_ids, f"state = 'pending', is_ready = false, eta = {AFTER_DELAY}")

    def _update_rows(self, job_ids: Sequence[int], assignments: str) -> None:
        """Change these rows by SQL; `assignments` are constants of this file."""
        if job_ids:
            self.env.cr.execute(
                f"UPDATE nameko_job SET {assignments} WHERE id = ANY(%s)",  # noqa: S608
                [list(job_ids)],
            )

    @api.model
    @api.private
    def wake_due(self) -> int:
        """Make jobs ready whose time has come; gives how many."""
        self.env.cr.execute(  # pylint: disable=sql-injection
            f"""
            UPDATE nameko_job SET is_ready = true
             WHERE state = 'pending' AND NOT is_ready AND NOT is_waiting AND eta <= {NOW}
            """  # noqa: S608  constants
        )
        return self.env.cr.rowcount

    @api.model
    @api.private
    def note_progress(self, shares: dict[str, float]) -> None:
        """Write the progress of running jobs, from 0 to 1 by uuid."""
        values = SQL(", ").join(
            SQL("(%s, %s)", uuid, 100 * share) for uuid, share in shares.items()
        )
        self.env.cr.execute(
            SQL(
                """
                UPDATE nameko_job job SET progress = told.progress
                  FROM (VALUES %s) AS told(uuid, progress)
                 WHERE job.uuid = told.uuid AND job.state = 'sent'
                """,
                values,
            )
        )
