"""Claim the jobs that are ready, and record the outcome of publishing them.

Use READ COMMITTED transactions: with REPEATABLE READ, two relays would abort each other's
transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from odoo.tools import SQL

from ..tools.job_request import ResultsAs
from ..tools.parameters import MOST_DELAY
from .rows import NOW, READY, SENDINGS, Cursor

MOST_WOKEN = 5_000  # jobs at a time
LONGEST_TIMEOUT = 2**31  # s
GRACE = 5  # s after the timeout, for a reply that is still on its way
FALLBACK_DELAY = 60  # s, in place of an invalid number
# The delay before the next attempt, in s: the last one applies to all further attempts.
NEXT_DELAY = f"""
    (SELECT CASE WHEN delay IS NULL THEN 0
                 WHEN delay ~ '^\\s*[0-9]{{1,12}}(\\.[0-9]{{1,12}})?\\s*$'
                 THEN least(delay::float, {MOST_DELAY}) ELSE {FALLBACK_DELAY} END
       FROM (SELECT (string_to_array(retry_delays, ','))[
                 least(greatest(attempts, 1), array_length(string_to_array(retry_delays, ','), 1))
             ] AS delay) AS delays)
"""  # noqa: S608  constants
# The results of a job's predecessors, as JSON, in order; NULL if it has none.
RESULTS_BEFORE = """
    (SELECT array_agg(earlier.result ORDER BY link.sequence)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id)
"""
# The total size of these results, in bytes.
SIZE_BEFORE = """
    (SELECT sum(octet_length(earlier.result) + 2)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id AND job.results_as <> 'nothing')
"""
HELD_SECONDS = 60  # for which a job that cannot be sent is not claimed again
AFTER_DELAY = f"{NOW} + make_interval(secs => coalesce({NEXT_DELAY}, 0))"


class Capacity(NamedTuple):
    """How many more jobs may be sent to a service, and the state of the service.

    is_noted: it has had a queue; is_away: it has none now; is_heard: it has sent heartbeats.
    """

    most: int
    is_noted: bool
    is_away: bool
    is_heard: bool


@dataclass(frozen=True)
class Claimed:
    """A job locked by this transaction, to be published.

    size: the approximate size of the message body, in bytes; arguments, results_before: None if
    that is too large.
    """

    id: int
    uuid: str
    service: str
    method: str
    arguments: str | None
    user_id: int
    company_id: int
    language: str | None
    timeout: float
    sendings: int
    sendings_before: int | None
    results_as: ResultsAs
    size: int
    results_before: Sequence[str] | None


def set_read_committed(cr: Cursor) -> None:
    """Set READ COMMITTED in a transaction that has just begun, and turn synchronous commit off.

    If a crash loses the commit, the jobs are still pending and are sent again.
    """
    cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off")


def capacities(cr: Cursor, most: int) -> dict[str, Capacity]:
    """Return, for each service with ready jobs, its capacity if more may be sent now."""
    cr.execute(
        f"""
        WITH RECURSIVE ready(service) AS (
            (SELECT service FROM nameko_job WHERE {READY} ORDER BY service LIMIT 1)
            UNION ALL
            SELECT (SELECT next.service FROM nameko_job next
                     WHERE {READY} AND next.service > ready.service
                     ORDER BY next.service LIMIT 1)
              FROM ready WHERE ready.service IS NOT NULL)
        SELECT service,
               CASE WHEN route.look_at > {NOW} THEN 0
                    WHEN route.away_since IS NOT NULL THEN 1
                    ELSE %s - (SELECT count(*) FROM nameko_job sent
                                WHERE sent.state = 'sent' AND sent.service = ready.service)
                    END,
               route.id IS NOT NULL, route.away_since IS NOT NULL,
               EXISTS (SELECT FROM nameko_service heard WHERE heard.name = service)
          FROM ready LEFT JOIN nameko_route route USING (service) WHERE service IS NOT NULL
        """,  # noqa: S608  constants
        [most],
    )
    capacities = {service: Capacity(*values) for service, *values in cr.fetchall()}
    return {service: capacity for service, capacity in capacities.items() if capacity.most > 0}


COMPUTED = ("arguments", "sendings", "size", "results_before")
CLAIMED = [name for name in Claimed.__annotations__ if name not in COMPUTED]
CLAIM = f"""
    WITH locked AS MATERIALIZED (
        SELECT {", ".join(CLAIMED)}, arguments, {SENDINGS} AS sendings, priority FROM nameko_job
         WHERE {READY} AND service = %(service)s
         ORDER BY priority, id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED),
    sized AS MATERIALIZED (
        SELECT *, octet_length(arguments) + coalesce({SIZE_BEFORE}, 0) AS size
          FROM locked job),
    counted AS (
        SELECT *, sum(CASE WHEN size <= %(most_size)s THEN size ELSE 0 END) OVER earlier
                  AS before
          FROM sized
        WINDOW earlier AS (
            ORDER BY priority, id ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW))
    SELECT {", ".join(CLAIMED)}, CASE WHEN size <= %(most_size)s THEN arguments END,
           sendings, size,
           CASE WHEN size <= %(most_size)s THEN {RESULTS_BEFORE} END
      FROM counted job WHERE coalesce(before, 0) < %(most_bytes)s ORDER BY priority, id
"""  # noqa: S608  constants


def claim(cr: Cursor, service: str, most: int, most_bytes: int, most_size: int) -> list[Claimed]:
    """Lock ready jobs of a service, by priority and age, and return them.

    :param most_bytes: the total size after which no further job is returned
    :param most_size: the largest message body of one job, in bytes
    """
    cr.execute(
        CLAIM,
        {"service": service, "most": most, "most_bytes": most_bytes, "most_size": most_size},
    )
    names = [*CLAIMED, *COMPUTED]
    rows = [dict(zip(names, row, strict=True)) for row in cr.fetchall()]
    return [Claimed(**{**row, "size": int(row["size"])}) for row in rows]


def mark_sent(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Mark these jobs as sent."""
    _update_rows(
        cr,
        job_ids,
        f"""
        state = 'sent', is_ready = false, attempts = attempts + 1, progress = 0,
        sendings = {SENDINGS} + 1,
        error_type = NULL, sent_at = {NOW},
        waited = extract(epoch FROM {NOW} - greatest(create_date, eta)),
        deadline = {NOW} + make_interval(secs => least(timeout, {LONGEST_TIMEOUT}) + {GRACE})
        """,
    )


def mark_unroutable(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Note that no queue took these jobs: their deadline is now."""
    _update_rows(cr, job_ids, f"error_type = 'UnknownService', deadline = {NOW}")


def mark_refused(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Note that the broker refused these jobs: retry them later; this is not an attempt."""
    _update_rows(cr, job_ids, "attempts = attempts - 1, sent_at = NULL")
    retry_later(cr, job_ids)


def mark_unsent(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Reset these jobs, which the broker may not have, to ready; this is not an attempt."""
    _update_rows(
        cr,
        job_ids,
        "state = 'pending', is_ready = true, attempts = attempts - 1, sent_at = NULL,"
        " deadline = NULL",
    )


def hold(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Do not claim these jobs for HELD_SECONDS: another thread is about to fail them."""
    eta = f"{NOW} + interval '1 second' * {HELD_SECONDS}"
    values = f"state = 'pending', is_ready = false, deadline = NULL, eta = {eta}"
    _update_rows(cr, job_ids, values)


def retry_later(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Schedule the next attempt of these jobs after their retry delay."""
    _update_rows(cr, job_ids, f"state = 'pending', is_ready = false, eta = {AFTER_DELAY}")


def _update_rows(cr: Cursor, job_ids: Sequence[int], assignments: str) -> None:
    """Update these rows; `assignments` is SQL from constants of this file."""
    if job_ids:
        cr.execute(
            f"UPDATE nameko_job SET {assignments} WHERE id = ANY(%s)",  # noqa: S608
            [list(job_ids)],
        )


def wake_due(cr: Cursor) -> int:
    """Make some of the jobs ready whose `eta` has passed; return how many."""
    cr.execute(
        f"""
        UPDATE nameko_job SET is_ready = true
         WHERE id IN (SELECT id FROM nameko_job
                       WHERE state = 'pending' AND NOT is_ready AND NOT is_waiting
                         AND eta <= {NOW}
                       ORDER BY eta LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        """,  # noqa: S608  constants
        [MOST_WOKEN],
    )
    return cr.rowcount


def note_progress(cr: Cursor, shares: dict[str, float]) -> list[tuple[str, int]]:
    """Write the progress of sent jobs, from 0 to 1 by uuid; return the jobs and their records."""
    values = SQL(", ").join(SQL("(%s, %s)", uuid, 100 * share) for uuid, share in shares.items())
    cr.execute(
        SQL(
            """
            UPDATE nameko_job job SET progress = reported.progress
              FROM (VALUES %s) AS reported(uuid, progress)
             WHERE job.uuid = reported.uuid AND job.state = 'sent'
            RETURNING job.id, job.res_model, job.res_id
            """,
            values,
        )
    )
    rows = cr.fetchall()
    records = [(model, res_id) for _job_id, model, res_id in rows if model and res_id]
    return [*(("nameko.job", job_id) for job_id, _model, _res_id in rows), *records]


def reschedule(cr: Cursor, job_ids: Sequence[int], priority: int, eta: datetime | None) -> None:
    """Set the priority and the start time of pending jobs; None means at once."""
    cr.execute(
        f"""
        UPDATE nameko_job
           SET priority = %(priority)s, eta = %(eta)s,
               is_ready = NOT is_waiting AND coalesce(%(eta)s <= {NOW}, true)
         WHERE id = ANY(%(ids)s) AND state = 'pending'
        """,  # noqa: S608  constants
        {"priority": priority, "eta": eta, "ids": list(job_ids)},
    )
