"""Release or fail the jobs that wait for the results of other jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..relays import CHANNEL
from ..rows import NOW, SENDINGS, Cursor, Lost

BATCH = 500  # jobs at a time
WINDOW = 2_000  # waiting jobs checked in one step
MOST_NAMED = 500  # ids in one notification, which holds 8,000 bytes
FINISHED = "finished"
# Jobs that can go on when others have ended: not those with a limit key before their start time.
WAITS = "state = 'pending' AND is_waiting AND (limit_key IS NULL OR eta IS NULL)"
IS_WAITING = """
    EXISTS (SELECT 1 FROM nameko_job_predecessor link
              JOIN nameko_job earlier ON earlier.id = link.predecessor_id
             WHERE link.job_id = job.id AND earlier.state <> 'done')
"""
HAS_TO_WAIT = f"(limit_key IS NOT NULL OR {IS_WAITING})"
HAS_FAILED_PREDECESSOR = """
    EXISTS (SELECT 1 FROM nameko_job_predecessor link
              JOIN nameko_job earlier ON earlier.id = link.predecessor_id
             WHERE link.job_id = job.id AND earlier.state IN ('failed', 'cancelled'))
"""


def notify_finished(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Notify the relays, after the commit, to check the jobs that wait for these."""
    for first in range(0, len(job_ids), MOST_NAMED):
        named = ",".join(map(str, job_ids[first : first + MOST_NAMED]))
        cr.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{FINISHED}:{named}"])


def waiting_for(cr: Cursor, job_ids: Collection[int]) -> list[int]:
    """Return the ids of jobs that wait for these, at most WINDOW."""
    cr.execute(
        "SELECT DISTINCT job.id FROM nameko_job_predecessor link"
        " JOIN nameko_job job ON job.id = link.job_id"
        " WHERE link.predecessor_id = ANY(%s) AND job.state = 'pending' AND job.is_waiting"
        " LIMIT %s",
        [list(job_ids), WINDOW],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def waiting_after(cr: Cursor, job_id: int) -> list[int]:
    """Return the next ids, after `job_id`, of jobs that wait for others, at most WINDOW."""
    cr.execute(
        f"SELECT id FROM nameko_job WHERE {WAITS} AND id > %s ORDER BY id LIMIT %s",  # noqa: S608
        [job_id, WINDOW],
    )
    return [found for (found,) in cr.fetchall()]


def release_waiting(cr: Cursor, job_ids: Collection[int]) -> int:
    """Make those of these jobs ready whose predecessors are all done; return how many.

    Jobs with a limit key are left to `keys`.
    """
    cr.execute(
        f"""
        UPDATE nameko_job
           SET is_waiting = false, is_ready = (eta IS NULL OR eta <= {NOW}),
               eta = greatest(eta, {NOW})
         WHERE id IN (SELECT id FROM nameko_job job
                       WHERE id = ANY(%s) AND state = 'pending' AND is_waiting
                         AND limit_key IS NULL AND NOT {IS_WAITING}
                         FOR NO KEY UPDATE SKIP LOCKED)
        """,  # noqa: S608  constants
        [list(job_ids)],
    )
    return cr.rowcount


def after_failed(cr: Cursor, job_ids: Collection[int]) -> list[Lost]:
    """Return those of these jobs that have a failed predecessor, and jobs that wait for them.

    At most BATCH are returned; a long chain takes several calls, from its beginning.
    """
    cr.execute(
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
    return [Lost(uuid, "predecessor") for (uuid,) in cr.fetchall()]


def begin_anew(cr: Cursor, job_ids: Collection[int]) -> list[int]:
    """Set failed and cancelled jobs to pending, except those whose identity key is in use.

    :return: their ids
    :raises psycopg2.errors.UniqueViolation: a job with the same key was created at the same time
    """
    cr.execute(
        f"""
        UPDATE nameko_job job
           SET state = 'pending', sendings = {SENDINGS}, attempts = 0, progress = 0,
               eta = NULL, deadline = NULL, is_waiting = false, is_ready = false,
               cancel_unannounced = false, sent_at = NULL, done_at = NULL, seconds = NULL,
               waited = NULL, result = NULL, write_tries = 0, has_result = false,
               error_type = NULL, error_message = NULL, failure_id = NULL, asked_again = 0
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
        {"ids": list(job_ids)},
    )
    again = [job_id for (job_id,) in cr.fetchall()]
    _set_ready_or_waiting(cr, again)
    return again


def _set_ready_or_waiting(cr: Cursor, job_ids: Sequence[int]) -> None:
    """Mark pending jobs as ready, or as waiting for their predecessors or their turn."""
    cr.execute(
        f"""
        UPDATE nameko_job job
           SET is_waiting = {HAS_TO_WAIT}, is_ready = NOT {HAS_TO_WAIT},
               eta = CASE WHEN limit_key IS NULL AND {IS_WAITING} THEN NULL ELSE {NOW} END
         WHERE id = ANY(%s) AND state = 'pending' AND NOT is_ready AND NOT is_waiting
           AND eta IS NULL
        """,  # noqa: S608  constants
        [job_ids],
    )
