"""Group failed jobs by company, service, method and similar error messages.

A relay groups jobs after they have failed, so that this does not delay other jobs. It skips groups
that are locked; their counts follow later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..rows import Cursor

MOST_GROUPED = 1_000  # jobs at a time
# A job that failed because of its predecessor is not grouped: a retry of that one retries it too.
UNGROUPED = "state = 'failed' AND failure_id IS NULL AND error_type <> 'PredecessorFailed'"


class Failed(NamedTuple):
    """A failed job that is in no group yet."""

    id: int
    company_id: int
    user_id: int
    service: str
    method: str
    error_type: str
    message: str

    @property
    def place(self) -> tuple[int, str, str]:
        """The company, service and method."""
        return self.company_id, self.service, self.method


def ungrouped(cr: Cursor) -> list[Failed]:
    """Lock some failed jobs that are in no group, and return them."""
    cr.execute(
        f"""
        SELECT id, company_id, user_id, service, method, error_type,
               left(coalesce(error_message, ''), 1000)
          FROM nameko_job WHERE {UNGROUPED} ORDER BY id LIMIT %s
           FOR NO KEY UPDATE SKIP LOCKED
        """,  # noqa: S608  constants
        [MOST_GROUPED],
    )
    return [Failed(*row) for row in cr.fetchall()]


def put_into_group(cr: Cursor, group_ids: Mapping[int, Collection[int]]) -> None:
    """Put jobs into groups: the ids of jobs by the id of a group."""
    for group_id, job_ids in group_ids.items():
        cr.execute(
            "UPDATE nameko_job SET failure_id = %s WHERE id = ANY(%s)", [group_id, list(job_ids)]
        )


def count_groups(cr: Cursor) -> list[int]:
    """Count the jobs of all groups that are not locked; return the ids of changed groups."""
    cr.execute(
        """
        WITH counted AS MATERIALIZED (
            SELECT failure_id AS id, count(*) AS jobs, max(done_at) AS last_at
              FROM nameko_job WHERE state = 'failed' AND failure_id IS NOT NULL GROUP BY 1),
        changed AS MATERIALIZED (
            SELECT failure.id, coalesce(counted.jobs, 0) AS jobs,
                   coalesce(counted.last_at, failure.last_at) AS last_at
              FROM nameko_failure failure LEFT JOIN counted USING (id)
             WHERE (failure.failed_count, failure.last_at) IS DISTINCT FROM
                   (coalesce(counted.jobs, 0), coalesce(counted.last_at, failure.last_at))),
        free AS MATERIALIZED (
            SELECT id FROM nameko_failure WHERE id IN (SELECT id FROM changed)
               FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE nameko_failure failure SET failed_count = changed.jobs, last_at = changed.last_at
          FROM changed JOIN free USING (id) WHERE failure.id = changed.id
        RETURNING failure.id
        """
    )
    return [group_id for (group_id,) in cr.fetchall()]


def to_remind(cr: Cursor, most: int) -> list[int]:
    """Return some groups whose responsible user needs a new or changed activity."""
    cr.execute(
        """
        SELECT id FROM nameko_failure
         WHERE coalesce(reminded, 0) <>
               CASE WHEN is_ignored OR user_id IS NULL THEN 0 ELSE coalesce(failed_count, 0) END
         ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
        """,
        [most],
    )
    return [group_id for (group_id,) in cr.fetchall()]


def cancel_failed(cr: Cursor, job_ids: Collection[int]) -> list[int]:
    """Set failed jobs to cancelled, keep their errors, and return their ids.

    Jobs with a result that can still be written stay failed.
    """
    cr.execute(
        "UPDATE nameko_job SET state = 'cancelled'"
        " WHERE id = ANY(%s) AND state = 'failed' AND has_result IS NOT TRUE RETURNING id",
        [list(job_ids)],
    )
    return [job_id for (job_id,) in cr.fetchall()]
