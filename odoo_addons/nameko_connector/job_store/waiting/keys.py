"""Open the jobs with limit keys whose turn it is."""

from __future__ import annotations

from collections.abc import Collection

from ...tools import locks
from ..relays import CHANNEL
from ..rows import NOW, Cursor
from .predecessors import IS_WAITING

ENTERED = "keys"
MOST_ENTERED = 2_000  # jobs at a time
HAS_KEY = "state = 'pending' AND is_waiting AND limit_key IS NOT NULL"
IN_LINE = f"{HAS_KEY} AND eta IS NULL"
ENTERS = f"{HAS_KEY} AND eta IS NOT NULL"
IS_OPEN = "state IN ('pending', 'sent') AND NOT is_waiting AND limit_key IS NOT NULL"
HAS_ENTERING = f"SELECT EXISTS (SELECT FROM nameko_job WHERE {ENTERS} AND eta <= {NOW})"  # noqa: S608
# The jobs of each key that may be open beside those that are: from the head of its line, until one
# has as many before it and open as it allows.
HAVE_TURNS = f"""
    SELECT job.id, job.can_go
      FROM unnest(%(keys)s::text[]) AS key(name)
     CROSS JOIN LATERAL (
           SELECT count(*) AS jobs FROM nameko_job WHERE {IS_OPEN} AND limit_key = key.name) opened
     CROSS JOIN LATERAL (
           SELECT id, NOT {IS_WAITING} AS can_go,
                  bool_and(row_number + opened.jobs <= most_at_once) OVER (ORDER BY id) AS has_turn
             FROM (SELECT id, most_at_once, row_number() OVER (ORDER BY id) FROM nameko_job
                    WHERE {IN_LINE} AND limit_key = key.name
                    ORDER BY id
                    LIMIT (SELECT most_at_once FROM nameko_job
                            WHERE {IN_LINE} AND limit_key = key.name ORDER BY id LIMIT 1)) job) job
     WHERE job.has_turn
"""  # noqa: S608  constants


def notify_entered(cr: Cursor) -> None:
    """Notify the relays, after the commit, that jobs with limit keys have been inserted."""
    cr.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{ENTERED}:"])


def release(cr: Cursor, job_ids: Collection[int]) -> bool:
    """Put jobs into their lines whose time has come; open those whose turn it is.

    Of the keys of these jobs, and of those that enter a line.

    :return: False if this must be repeated: another transaction does it now, has locked some of
        the jobs, or there is more to do
    """
    keys = _keys_of(cr, job_ids)
    if not (keys or _has_entering(cr)):
        return True
    cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.LIMIT_KEYS])
    if not cr.fetchone()[0]:
        return False
    entered = _enter(cr)
    return _open(cr, keys | set(entered)) and len(entered) < MOST_ENTERED


def enter_at_once(cr: Cursor, job_ids: Collection[int]) -> None:
    """Put those of these jobs into the line that wait for their start time."""
    cr.execute(
        f"UPDATE nameko_job SET eta = NULL WHERE id = ANY(%s) AND {HAS_KEY}",  # noqa: S608
        [list(job_ids)],
    )


def _keys_of(cr: Cursor, job_ids: Collection[int]) -> set[str]:
    if not job_ids:
        return set()
    cr.execute(
        "SELECT DISTINCT limit_key FROM nameko_job WHERE id = ANY(%s) AND limit_key IS NOT NULL",
        [list(job_ids)],
    )
    return {key for (key,) in cr.fetchall()}


def _has_entering(cr: Cursor) -> bool:
    cr.execute(HAS_ENTERING)
    return bool(cr.fetchone()[0])


def _enter(cr: Cursor) -> list[str]:
    """Put some jobs into their lines; return the key of each."""
    cr.execute(
        f"""
        UPDATE nameko_job SET eta = NULL
         WHERE id IN (SELECT id FROM nameko_job WHERE {ENTERS} AND eta <= {NOW}
                       ORDER BY eta, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING limit_key
        """,  # noqa: S608  constants
        [MOST_ENTERED],
    )
    return [key for (key,) in cr.fetchall()]


def _open(cr: Cursor, keys: Collection[str]) -> bool:
    """Make the jobs of these keys ready whose turn it is; return False if some were locked."""
    cr.execute(HAVE_TURNS, {"keys": list(keys)})
    job_ids = [job_id for job_id, can_go in cr.fetchall() if can_go]
    if not job_ids:
        return True
    cr.execute(
        f"""
        UPDATE nameko_job SET is_waiting = false, is_ready = true, eta = {NOW}
         WHERE id IN (SELECT id FROM nameko_job WHERE id = ANY(%s) AND {IN_LINE}
                         FOR NO KEY UPDATE SKIP LOCKED)
        """,  # noqa: S608  constants
        [job_ids],
    )
    return cr.rowcount == len(job_ids)
