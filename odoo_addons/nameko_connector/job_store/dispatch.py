"""Jobs on their way out: which are due, and what became of those that were published.

For transactions of level READ COMMITTED: with REPEATABLE READ, two relays would abort each other's
work.
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
GRACE = 5  # s after its timeout in which a reply that was under way may come
FALLBACK_DELAY = 60  # s, in place of what is no number of seconds
# The delay before the next attempt: the last one counts for all further attempts.
NEXT_DELAY = f"""
    (SELECT CASE WHEN delay IS NULL THEN 0
                 WHEN delay ~ '^\\s*[0-9]{{1,12}}(\\.[0-9]{{1,12}})?\\s*$'
                 THEN least(delay::float, {MOST_DELAY}) ELSE {FALLBACK_DELAY} END
       FROM (SELECT (string_to_array(retry_delays, ','))[
                 least(greatest(attempts, 1), array_length(string_to_array(retry_delays, ','), 1))
             ] AS delay) AS delays)
"""  # noqa: S608  constants
# The results of the jobs that a job waited for, as JSON, in order; NULL where it waited for none.
RESULTS_BEFORE = """
    (SELECT array_agg(earlier.result ORDER BY link.sequence)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id)
"""
# How large they are together, in bytes.
SIZE_BEFORE = """
    (SELECT sum(octet_length(earlier.result) + 2)
       FROM nameko_job_predecessor link JOIN nameko_job earlier ON earlier.id = link.predecessor_id
      WHERE link.job_id = job.id AND job.results_as <> 'nothing')
"""
HELD_SECONDS = 60  # for which a job that is about to be failed is not claimed again
AFTER_DELAY = f"{NOW} + make_interval(secs => coalesce({NEXT_DELAY}, 0))"


class Capacity(NamedTuple):
    """How many jobs may be sent to a service, and what is known of it.

    is_noted: as one that has had a queue; is_away: it has none now; is_heard: it has beaten.
    """

    most: int
    is_noted: bool
    is_away: bool
    is_heard: bool


@dataclass(frozen=True)
class Claimed:
    """A job locked by this transaction, to be published.

    size: of its message's body, in bytes, nearly; arguments, results_before: None where that is
    more than may be sent.
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
    results_as: ResultsAs
    size: int
    results_before: Sequence[str] | None


def set_read_committed(cr: Cursor) -> None:
    """Set the level of a transaction that has just begun.

    It need not wait for the disk: what a crash undoes leaves jobs pending, to be sent again.
    """
    cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off")


def capacities(cr: Cursor, most: int) -> dict[str, Capacity]:
    """Return each service with ready jobs the number of jobs that may be sent to it now."""
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
    """Lock ready jobs of a service, the most urgent and oldest first.

    :param most_bytes: after which no further job is returned
    :param most_size: that may be sent of one job, in bytes
    """
    cr.execute(
        CLAIM,
        {"service": service, "most": most, "most_bytes": most_bytes, "most_size": most_size},
    )
    names = [*CLAIMED, *COMPUTED]
    rows = [dict(zip(names, row, strict=True)) for row in cr.fetchall()]
    return [Claimed(**{**row, "size": int(row["size"])}) for row in rows]


def mark_sent(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Note that these are published."""
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
    """Note that no queue took these: their time to answer is over."""
    _update_rows(cr, job_ids, f"error_type = 'UnknownService', deadline = {NOW}")


def mark_refused(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Note that the broker did not take these: that was no attempt."""
    _update_rows(cr, job_ids, "attempts = attempts - 1, sent_at = NULL")
    retry_later(cr, job_ids)


def mark_unsent(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Note that the broker does not have these, or may not: that was no attempt."""
    _update_rows(
        cr,
        job_ids,
        "state = 'pending', is_ready = true, attempts = attempts - 1, sent_at = NULL,"
        " deadline = NULL",
    )


def hold(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Leave these alone for a while: somebody is about to fail them."""
    eta = f"{NOW} + interval '1 second' * {HELD_SECONDS}"
    values = f"state = 'pending', is_ready = false, deadline = NULL, eta = {eta}"
    _update_rows(cr, job_ids, values)


def retry_later(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Have these sent again after their delay."""
    _update_rows(cr, job_ids, f"state = 'pending', is_ready = false, eta = {AFTER_DELAY}")


def _update_rows(cr: Cursor, job_ids: Sequence[int], assignments: str) -> None:
    """Change these rows by SQL; `assignments` are constants of this file."""
    if job_ids:
        cr.execute(
            f"UPDATE nameko_job SET {assignments} WHERE id = ANY(%s)",  # noqa: S608
            [list(job_ids)],
        )


def wake_due(cr: Cursor) -> int:
    """Make some of the jobs ready whose time has come; return how many."""
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
    """Write the progress of running jobs, from 0 to 1 by uuid; return these and their records."""
    values = SQL(", ").join(SQL("(%s, %s)", uuid, 100 * share) for uuid, share in shares.items())
    cr.execute(
        SQL(
            """
            UPDATE nameko_job job SET progress = told.progress
              FROM (VALUES %s) AS told(uuid, progress)
             WHERE job.uuid = told.uuid AND job.state = 'sent'
            RETURNING job.id, job.res_model, job.res_id
            """,
            values,
        )
    )
    rows = cr.fetchall()
    records = [(model, res_id) for _job_id, model, res_id in rows if model and res_id]
    return [*(("nameko.job", job_id) for job_id, _model, _res_id in rows), *records]


def reschedule(cr: Cursor, job_ids: Sequence[int], priority: int, eta: datetime | None) -> None:
    """Give those of these that are pending another priority and time; None is at once."""
    cr.execute(
        f"""
        UPDATE nameko_job
           SET priority = %(priority)s, eta = %(eta)s,
               is_ready = NOT is_waiting AND coalesce(%(eta)s <= {NOW}, true)
         WHERE id = ANY(%(ids)s) AND state = 'pending'
        """,  # noqa: S608  constants
        {"priority": priority, "eta": eta, "ids": list(job_ids)},
    )
