"""Note the jobs that start under limits: before they are published, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from ..dispatch import mark_unsent
from ..rows import NOW, Cursor
from .limits import WINDOW

OF_KEYS = 0  # in place of a policy's id: the starts of jobs with limit keys
SHARED = 100  # starts within such a part of the window share a row
# A session of PostgreSQL: its process id, which may be used again later, and when it began. Other
# roles of PostgreSQL do not see when.
SESSION = "activity.pid || '@' || extract(epoch FROM activity.backend_start)"
OWN = f"(SELECT {SESSION} FROM pg_stat_activity activity WHERE pid = pg_backend_pid())"  # noqa: S608
IS_LEFT = f"""
    start.session IS NOT NULL
    AND (start.session = {OWN}
         OR NOT EXISTS (SELECT FROM pg_stat_activity activity
                         WHERE activity.pid = split_part(start.session, '@', 1)::int
                           AND (activity.backend_start IS NULL OR {SESSION} = start.session)))
"""


def note(cr: Cursor, started: Mapping[int, Collection[int]]) -> dict[int, int]:
    """Note, before they are published, which jobs start under each policy, or OF_KEYS.

    :return: the ids of the notes, by policy
    """
    values = [
        {"policy_ref": policy_id, "jobs": len(ids), "job_ids": list(ids)}
        for policy_id, ids in started.items()
    ]
    cr.execute(
        f"""
        INSERT INTO nameko_policy_start (policy_ref, jobs, job_ids, began, moment, session)
        SELECT policy_ref, jobs, job_ids, {NOW}, {NOW}, {OWN}
          FROM json_to_recordset(%s) AS new(policy_ref int, jobs int, job_ids jsonb)
        RETURNING policy_ref, id
        """,  # noqa: S608  constants
        [json.dumps(values)],
    )
    return dict(cr.fetchall())


SETTLE = f"""
    WITH settled AS (
        DELETE FROM nameko_policy_start start
         USING unnest(%(ids)s::int[], %(jobs)s::int[]) AS published(id, jobs)
         WHERE start.id = published.id
        RETURNING start.policy_ref, start.began, published.jobs),
    counted AS (
        SELECT settled.*, {WINDOW} AS span
          FROM settled JOIN nameko_policy policy ON policy.id = settled.policy_ref
         WHERE policy.rate > 0 AND settled.jobs > 0),
    shared AS (
        UPDATE nameko_policy_start start SET jobs = start.jobs + counted.jobs, moment = {NOW}
          FROM counted
         WHERE start.id = (SELECT max(last.id) FROM nameko_policy_start last
                            WHERE last.policy_ref = counted.policy_ref
                              AND last.session IS NULL
                              AND last.began > {NOW} - counted.span / {SHARED})
        RETURNING start.policy_ref)
    INSERT INTO nameko_policy_start (policy_ref, jobs, began, moment)
    SELECT policy_ref, jobs, began, {NOW} FROM counted
     WHERE policy_ref NOT IN (SELECT policy_ref FROM shared)
"""  # noqa: S608  constants


def settle(cr: Cursor, jobs: Mapping[int, int]) -> None:
    """Note that the jobs of these notes have been published by now, or never will.

    :param jobs: how many of each note's jobs the broker may have, by the note's id
    """
    cr.execute(
        SETTLE,
        {"ids": list(jobs), "jobs": list(jobs.values())},
    )


FORGET_OLD = f"""
    DELETE FROM nameko_policy_start start
     WHERE start.session IS NULL
       AND NOT EXISTS (SELECT FROM nameko_policy policy
                        WHERE policy.id = start.policy_ref AND policy.rate > 0
                          AND start.moment > {NOW} - {WINDOW})
"""  # noqa: S608  constants


def forget_old(cr: Cursor) -> None:
    """Delete the notes that count no more."""
    cr.execute(FORGET_OLD)


LEFT = f"""
    SELECT start.id, start.jobs, start.job_ids,
           start.policy_ref = {OF_KEYS} OR
           EXISTS (SELECT FROM nameko_policy policy
                    WHERE policy.id = start.policy_ref AND policy.most_at_once > 0)
      FROM nameko_policy_start start WHERE {IS_LEFT} FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608  constants


def recover(cr: Cursor) -> None:
    """Settle the notes of sessions that have ended, and decide about their jobs.

    The broker may have all of them or none. Those under a limit at a time, or with a limit key,
    stay sent, until their answer or their timeout; this is not an attempt. The others are ready
    again.
    """
    cr.execute(LEFT)
    left = cr.fetchall()
    if not left:
        return
    placed = {each for _id, _jobs, ids, has_places in left if has_places for each in ids}
    others = {each for _id, _jobs, ids, _has_places in left for each in ids} - placed
    keep_places(cr, still_sent(cr, placed))
    mark_unsent(cr, still_sent(cr, others, "AND limit_key IS NULL"))
    settle(cr, {start_id: jobs for start_id, jobs, _ids, _has_places in left})


def still_sent(cr: Cursor, job_ids: Collection[int], condition: str = "") -> list[int]:
    """Lock those of these jobs that are sent, and return their ids.

    A job that is locked is being answered or cancelled, so the broker had it, or it is not needed.

    :param condition: SQL from constants
    """
    cr.execute(
        f"SELECT id FROM nameko_job WHERE id = ANY(%s) AND state = 'sent' {condition}"  # noqa: S608
        " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [list(job_ids)],
    )
    return [job_id for (job_id,) in cr.fetchall()]


def keep_places(cr: Cursor, job_ids: Collection[int]) -> None:
    """Keep these jobs sent, as the broker may have them; do not count this attempt."""
    if job_ids:
        cr.execute(
            "UPDATE nameko_job SET attempts = greatest(attempts - 1, 0) WHERE id = ANY(%s)",
            [list(job_ids)],
        )
