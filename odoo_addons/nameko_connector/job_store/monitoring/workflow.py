"""Read which jobs wait for which, limited to what a screen can show."""

from __future__ import annotations

from collections.abc import Collection

from ..rows import Cursor

Link = tuple[int, int]  # the ids of a predecessor and of the job that waits for it


NEAR = """
    SELECT DISTINCT id FROM (
        SELECT job_id AS id FROM nameko_job_predecessor WHERE predecessor_id = ANY(%(ids)s)
        UNION ALL
        SELECT predecessor_id FROM nameko_job_predecessor WHERE job_id = ANY(%(ids)s)) linked
     WHERE id <> ALL(%(found)s) ORDER BY id LIMIT %(most)s
"""


def linked_with(cr: Cursor, job_id: int, most: int) -> list[int]:
    """Return the ids of jobs connected with this one by any number of links.

    The nearest come first; at most `most` are returned.
    """
    found = near = [job_id]
    while near and len(found) < most:
        cr.execute(NEAR, {"ids": near, "found": found, "most": most - len(found)})
        near = [found_id for (found_id,) in cr.fetchall()]
        found = [*found, *near]
    return found


def linked_in_batch(cr: Cursor, batch_id: int, most: int) -> list[int]:
    """Return the ids of the first jobs of a batch that wait for others, and of those others."""
    cr.execute(
        """
        SELECT DISTINCT id FROM (
            SELECT unnest(ARRAY[link.predecessor_id, link.job_id]) AS id
              FROM nameko_job_predecessor link JOIN nameko_job job ON job.id = link.job_id
             WHERE job.batch_id = %s) linked
         ORDER BY id LIMIT %s
        """,
        [batch_id, most],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def links_among(cr: Cursor, job_ids: Collection[int]) -> list[Link]:
    """Return the links between these jobs."""
    cr.execute(
        "SELECT predecessor_id, job_id FROM nameko_job_predecessor"
        " WHERE job_id = ANY(%(ids)s) AND predecessor_id = ANY(%(ids)s) ORDER BY 1, 2",
        {"ids": list(job_ids)},
    )
    return list(cr.fetchall())
