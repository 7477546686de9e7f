"""Record which services have had a queue on the broker, and whose queue is gone."""

from __future__ import annotations

from collections.abc import Collection

from .dispatch import LONGEST_TIMEOUT
from .rows import NOW, READY, Cursor, Lost

LOOK_SECONDS = 5  # between two attempts to send to a service without a queue
FRESH_SECONDS = 10  # after such an attempt is due, for which its result still counts
MOST_LOST = 500  # jobs at a time


def note_has_queue(cr: Cursor, services: Collection[str]) -> None:
    """Note that these services have a queue."""
    if services:
        cr.execute(
            """
            INSERT INTO nameko_route (service) SELECT unnest(%s)
                ON CONFLICT (service) DO UPDATE SET away_since = NULL, look_at = NULL
            """,
            [sorted(services)],
        )


def note_away(cr: Cursor, services: Collection[str]) -> None:
    """Note that these services have no queue now."""
    if services:
        cr.execute(
            f"""
            INSERT INTO nameko_route AS route (service, away_since, look_at)
            SELECT unnest(%s), {NOW}, {NOW} + interval '1 second' * %s
                ON CONFLICT (service) DO UPDATE
               SET away_since = coalesce(route.away_since, excluded.away_since),
                   look_at = excluded.look_at
            """,  # noqa: S608  constants
            [sorted(services), LOOK_SECONDS],
        )


def waited_too_long(cr: Cursor) -> list[Lost]:
    """Return jobs whose service has had no queue for the whole timeout of the job.

    The time counts from when the queue was missing or the job was ready, whichever is later.
    """
    cr.execute(
        f"""
        SELECT job.uuid FROM nameko_route route JOIN nameko_job job USING (service)
         WHERE route.away_since IS NOT NULL
           AND route.look_at > {NOW} - interval '1 second' * %s
           AND {READY}
           AND greatest(route.away_since, job.create_date, job.eta)
               + make_interval(secs => least(job.timeout, {LONGEST_TIMEOUT})) <= {NOW}
         LIMIT %s
        """,  # noqa: S608  constants
        [FRESH_SECONDS, MOST_LOST],
    )
    return [Lost(uuid, "away") for (uuid,) in cr.fetchall()]
