"""Jobs whose open views must reload because what holds them has changed."""

from __future__ import annotations

from collections.abc import Collection

from ..rows import READY, Cursor

MOST_TOLD = 1_000  # jobs; a list reloads whichever of its jobs has changed


def first_ready(cr: Cursor, policy_ids: Collection[int]) -> list[tuple[str, int]]:
    """Return ready jobs, as pairs of model and id, that these policies are for, and their records.

    At most MOST_TOLD jobs of each policy are read, in the order in which they are sent.
    """
    cr.execute(
        f"""
        SELECT job.id, job.res_model, job.res_id FROM nameko_policy policy
         CROSS JOIN LATERAL (
               SELECT * FROM nameko_job waiting
                WHERE {READY} AND waiting.service = policy.service
                ORDER BY priority, id LIMIT {MOST_TOLD}) job
         WHERE policy.id = ANY(%s)
        """,  # noqa: S608  constants
        [list(policy_ids)],
    )
    rows = cr.fetchall()
    records = [(model, res_id) for _job_id, model, res_id in rows if model and res_id]
    return [*(("nameko.job", job_id) for job_id, _model, _res_id in rows), *records]
