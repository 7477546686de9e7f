"""Jobs that were cancelled after they were sent: the services stop working for them when told."""

from __future__ import annotations

from collections.abc import Collection

from .rows import Cursor

MOST_TOLD = 500  # jobs at a time


def note_cancelled(cr: Cursor, job_ids: Collection[int]) -> None:
    """Have the services told that these jobs, which they may work on, were cancelled."""
    if job_ids:
        cr.execute("UPDATE nameko_job SET cancel_untold = true WHERE id = ANY(%s)", [list(job_ids)])


def has_cancelled(cr: Cursor) -> bool:
    """Tell whether services are to hear of cancelled jobs."""
    cr.execute("SELECT EXISTS (SELECT FROM nameko_job WHERE cancel_untold)")
    return bool(cr.fetchone()[0])


def take_cancelled(cr: Cursor) -> list[str]:
    """Return some jobs of which services are to be told in this transaction."""
    cr.execute(
        """
        UPDATE nameko_job SET cancel_untold = false
         WHERE id IN (SELECT id FROM nameko_job WHERE cancel_untold
                       ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING uuid
        """,
        [MOST_TOLD],
    )
    return [uuid for (uuid,) in cr.fetchall()]
