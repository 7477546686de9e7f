"""Delete old jobs, and adapt jobs after a database was moved or copied."""

from __future__ import annotations

from .rows import NOW, Cursor


def delete_finished(cr: Cursor, days: float, most: int) -> int:
    """Delete some jobs that finished more than so many days ago; return how many.

    Jobs for which unfinished jobs wait are not deleted.
    """
    cr.execute(
        """
        DELETE FROM nameko_job WHERE id IN (
            SELECT job.id FROM nameko_job job
             WHERE job.state IN ('done', 'failed', 'cancelled')
               AND job.done_at < now() AT TIME ZONE 'UTC' - make_interval(secs => %s)
               AND NOT EXISTS (
                   SELECT 1 FROM nameko_job_predecessor link
                     JOIN nameko_job later ON later.id = link.job_id
                    WHERE link.predecessor_id = job.id AND later.state IN ('pending', 'sent'))
             ORDER BY job.done_at LIMIT %s)
        """,
        [days * 86_400, most],
    )
    return cr.rowcount


def shorten_deadlines(cr: Cursor, seconds: float) -> None:
    """Make sent jobs late within so many seconds, and allow each of them another attempt."""
    cr.execute(
        f"""
        UPDATE nameko_job
           SET deadline = least(deadline, {NOW} + interval '1 second' * %s),
               max_attempts = greatest(max_attempts, attempts + 1)
         WHERE state = 'sent'
        """,  # noqa: S608  constants
        [seconds],
    )


def cancel_live(cr: Cursor) -> int:
    """Cancel all unfinished jobs of a copy, as its original sends them; return how many."""
    cr.execute(
        """
        UPDATE nameko_job
           SET state = 'cancelled', is_ready = false, is_waiting = false, deadline = NULL,
               done_at = now() AT TIME ZONE 'UTC', error_type = 'DatabaseCopied',
               error_message = 'The database was copied: its original sends this job.'
         WHERE state IN ('pending', 'sent')
        """
    )
    cancelled = cr.rowcount
    cr.execute("UPDATE nameko_job SET cancel_unannounced = false WHERE cancel_unannounced")
    return cancelled
