"""Open the jobs with limit keys whose turn it is."""

from __future__ import annotations

from collections.abc import Collection

from ...tools import locks
from ..relays import CHANNEL
from ..rows import NOW, Cursor
from .predecessors import IS_WAITING

ENTERED = "keys"
MOST_ENTERED = 2_000  # jobs at a time
IN_LINE = "state = 'pending' AND is_waiting AND limit_key IS NOT NULL"
IS_UNFINISHED = "limit_key = job.limit_key AND state IN ('pending', 'sent')"
# Of a job in the line: no more of its key are before it, or open behind it, than may be.
HAS_TURN = f"""
    (SELECT count(*) FROM (
        (SELECT 1 FROM nameko_job WHERE {IS_UNFINISHED} AND id < job.id
            AND (NOT is_waiting OR eta IS NULL) LIMIT job.most_at_once)
        UNION ALL
        (SELECT 1 FROM nameko_job WHERE {IS_UNFINISHED} AND id > job.id
            AND NOT is_waiting LIMIT job.most_at_once)) other) < job.most_at_once
"""  # noqa: S608  constants


def notify_entered(cr: Cursor) -> None:
    """Notify the relays, after the commit, that jobs with limit keys have been inserted."""
    cr.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{ENTERED}:"])


def enter_at_once(cr: Cursor, job_ids: Collection[int]) -> None:
    """Put those of these jobs into the line that wait for their start time."""
    cr.execute(
        f"UPDATE nameko_job SET eta = NULL WHERE id = ANY(%s) AND {IN_LINE}",  # noqa: S608
        [list(job_ids)],
    )


def enter(cr: Cursor) -> list[int]:
    """Put the jobs into the line whose start time has come; return the ids of some.

    At most MOST_ENTERED are returned.
    """
    cr.execute(
        f"""
        UPDATE nameko_job SET eta = NULL
         WHERE id IN (SELECT id FROM nameko_job WHERE {IN_LINE} AND eta <= {NOW}
                       ORDER BY eta, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING id
        """,  # noqa: S608  constants
        [MOST_ENTERED],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def next_in_line(cr: Cursor, job_ids: Collection[int]) -> list[int]:
    """Return the ids of the next waiting jobs with the limit keys of these jobs."""
    cr.execute(
        f"""
        SELECT next.id
          FROM (SELECT limit_key, max(most_at_once) AS most FROM nameko_job
                 WHERE id = ANY(%s) AND limit_key IS NOT NULL GROUP BY limit_key) ended
         CROSS JOIN LATERAL (
               SELECT id FROM nameko_job
                WHERE {IN_LINE} AND limit_key = ended.limit_key AND eta IS NULL
                ORDER BY id LIMIT ended.most) next
        """,  # noqa: S608  constants
        [list(job_ids)],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def release(cr: Cursor, job_ids: Collection[int]) -> bool:
    """Make those of these jobs ready that have a limit key and whose turn it is.

    :return: False, and nothing is changed, if another transaction does this now
    """
    cr.execute(
        f"SELECT id FROM nameko_job WHERE id = ANY(%s) AND {IN_LINE}",  # noqa: S608  constants
        [list(job_ids)],
    )
    waiting = [job_id for (job_id,) in cr.fetchall()]
    if not waiting:
        return True
    cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.LIMIT_KEYS])
    if not cr.fetchone()[0]:
        return False
    cr.execute(
        f"""
        UPDATE nameko_job SET is_waiting = false, is_ready = true, eta = {NOW}
         WHERE id IN (SELECT id FROM nameko_job job
                       WHERE id = ANY(%s) AND {IN_LINE} AND eta IS NULL
                         AND NOT {IS_WAITING} AND {HAS_TURN}
                         FOR NO KEY UPDATE SKIP LOCKED)
        """,  # noqa: S608  constants
        [waiting],
    )
    return True
