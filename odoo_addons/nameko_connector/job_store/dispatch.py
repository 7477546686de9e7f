"""Record the outcome of publishing jobs that `claiming` has locked.

Use READ COMMITTED transactions: with REPEATABLE READ, two relays would abort each other's
transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from odoo.tools import SQL

from ..tools.parameters import MOST_DELAY
from .rows import NOW, SENDINGS, Cursor
from .waiting.predecessors import notify_finished

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
HELD_SECONDS = 60  # for which a job that cannot be sent is not claimed again
AFTER_DELAY = f"{NOW} + make_interval(secs => coalesce({NEXT_DELAY}, 0))"


def set_read_committed(cr: Cursor) -> None:
    """Set READ COMMITTED in a transaction that has just begun, and turn synchronous commit off.

    If a crash loses the commit, the jobs are still pending and are sent again.
    """
    cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off")


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
    """Set the priority and the start time of pending jobs; None means at once.

    Jobs with a limit key take their place in the line again at that time.
    """
    cr.execute(
        f"""
        UPDATE nameko_job
           SET priority = %(priority)s,
               eta = CASE WHEN limit_key IS NULL THEN %(eta)s ELSE coalesce(%(eta)s, {NOW}) END,
               is_waiting = is_waiting OR limit_key IS NOT NULL,
               is_ready = NOT is_waiting AND limit_key IS NULL AND coalesce(%(eta)s <= {NOW}, true)
         WHERE id = ANY(%(ids)s) AND state = 'pending'
        RETURNING id, limit_key IS NOT NULL
        """,  # noqa: S608  constants
        {"priority": priority, "eta": eta, "ids": list(job_ids)},
    )
    if moved := [job_id for job_id, has_key in cr.fetchall() if has_key]:
        notify_finished(cr, moved)  # those behind them may have their turn now
