"""Which methods of a service have ready jobs: read from the index, without reading the jobs."""

from __future__ import annotations

from collections.abc import Collection

from ..rows import READY, Cursor

MOST_METHODS = 1_000  # of a service; it can be asked for methods that it does not have


def open_methods(cr: Cursor, service: str, closed: Collection[str]) -> list[str]:
    """Return the methods of a service that have ready jobs, without the closed ones."""
    cr.execute(
        f"""
        WITH RECURSIVE ready(method) AS (
            (SELECT method FROM nameko_job WHERE {READY} AND service = %(service)s
              ORDER BY method LIMIT 1)
            UNION ALL
            SELECT (SELECT next.method FROM nameko_job next
                     WHERE {READY} AND next.service = %(service)s AND next.method > ready.method
                     ORDER BY next.method LIMIT 1)
              FROM ready WHERE ready.method IS NOT NULL)
        SELECT method FROM ready WHERE method IS NOT NULL AND method <> ALL(%(closed)s)
         LIMIT %(most)s
        """,  # noqa: S608  constants
        {"service": service, "closed": list(closed), "most": MOST_METHODS},
    )
    return [method for (method,) in cr.fetchall()]
