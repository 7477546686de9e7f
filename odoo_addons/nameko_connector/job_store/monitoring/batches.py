"""Batches of jobs: count their jobs by state, and note when all have ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..rows import NOW, Cursor

MOST_ENDED = 100  # batches at a time
HOW_IT_ENDED = """
    done = counted.done, failed = counted.failed, cancelled = counted.cancelled,
    state = CASE WHEN counted.failed > 0 THEN 'failed'
                 WHEN counted.done = 0 AND counted.cancelled > 0 THEN 'cancelled'
                 ELSE 'done' END
"""


class Counts(NamedTuple):
    """How many jobs of a batch are in each state."""

    pending: int = 0
    sent: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


def counts(cr: Cursor, batch_ids: Collection[int]) -> dict[int, Counts]:
    """Count the jobs of these batches."""
    cr.execute(
        "SELECT batch_id, state, count(*) FROM nameko_job WHERE batch_id = ANY(%s) GROUP BY 1, 2",
        [list(batch_ids)],
    )
    found: dict[int, dict[str, int]] = {}
    for batch_id, state, count in cr.fetchall():
        found.setdefault(batch_id, {})[state] = count
    return {batch_id: Counts(**by_state) for batch_id, by_state in found.items()}


def end_finished(cr: Cursor) -> list[int]:
    """End some batches that have no unfinished jobs; return their ids.

    A batch whose jobs are being retried is locked, and skipped.
    """
    cr.execute(
        f"""
        WITH over AS MATERIALIZED (
            SELECT id FROM nameko_batch batch
             WHERE state = 'running'
               AND NOT EXISTS (SELECT FROM nameko_job job
                                WHERE job.batch_id = batch.id AND job.state IN ('pending', 'sent'))
             ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED),
        counted AS (
            SELECT over.id,
                   count(*) FILTER (WHERE job.state = 'done') AS done,
                   count(*) FILTER (WHERE job.state = 'failed') AS failed,
                   count(*) FILTER (WHERE job.state = 'cancelled') AS cancelled
              FROM over LEFT JOIN nameko_job job ON job.batch_id = over.id GROUP BY over.id)
        UPDATE nameko_batch batch
           SET done_at = {NOW}, {HOW_IT_ENDED}
          FROM counted WHERE batch.id = counted.id
        RETURNING batch.id
        """,  # noqa: S608  constants
        [MOST_ENDED],
    )
    return [batch_id for (batch_id,) in cr.fetchall()]


def begin_again(cr: Cursor, job_ids: Collection[int]) -> None:
    """Set the batches of these retried jobs to running again."""
    cr.execute(
        """
        UPDATE nameko_batch SET state = 'running', done_at = NULL, has_called_back = false
         WHERE id IN (SELECT DISTINCT batch_id FROM nameko_job
                       WHERE id = ANY(%s) AND batch_id IS NOT NULL)
        """,
        [list(job_ids)],
    )


def count_again(cr: Cursor, job_ids: Collection[int]) -> None:
    """Update the counts and the state of these jobs' batches, if they have ended."""
    cr.execute(
        f"""
        UPDATE nameko_batch batch
           SET {HOW_IT_ENDED}
          FROM (SELECT batch_id AS id, count(*) FILTER (WHERE state = 'done') AS done,
                       count(*) FILTER (WHERE state = 'failed') AS failed,
                       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
                  FROM nameko_job
                 WHERE batch_id IN (SELECT batch_id FROM nameko_job WHERE id = ANY(%s))
                 GROUP BY batch_id) counted
         WHERE batch.id = counted.id AND batch.state <> 'running'
        """,  # noqa: S608  constants
        [list(job_ids)],
    )
