"""Record which cancelled jobs the relay must still announce to the services."""

from __future__ import annotations

from collections.abc import Collection

from .rows import Cursor

MOST_ANNOUNCED = 500  # jobs at a time


def note_cancelled(cr: Cursor, job_ids: Collection[int]) -> None:
    """Mark these cancelled jobs, so that a relay publishes the events."""
    if job_ids:
        cr.execute(
            "UPDATE nameko_job SET cancel_unannounced = true WHERE id = ANY(%s)", [list(job_ids)]
        )


def has_cancelled(cr: Cursor) -> bool:
    """Return whether there are cancelled jobs to announce."""
    cr.execute("SELECT EXISTS (SELECT FROM nameko_job WHERE cancel_unannounced)")
    return bool(cr.fetchone()[0])


def take_cancelled(cr: Cursor) -> list[str]:
    """Return the uuids of some jobs to announce; remove their marks in this transaction."""
    cr.execute(
        """
        UPDATE nameko_job SET cancel_unannounced = false
         WHERE id IN (SELECT id FROM nameko_job WHERE cancel_unannounced
                       ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING uuid
        """,
        [MOST_ANNOUNCED],
    )
    return [uuid for (uuid,) in cr.fetchall()]
