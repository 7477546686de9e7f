"""How many more jobs a policy allows now, and the lock under which that is exact."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..rows import NOW, Cursor
from .policies import IS_PAUSED

WINDOW = """
    make_interval(secs => CASE policy.rate_unit WHEN 'second' THEN 1 WHEN 'minute' THEN 60
                               ELSE 3600 END)
"""


class Room(NamedTuple):
    """How many more jobs may start under a policy now; None: as many as one likes.

    at_once, rate: by each of its limits; seconds: until there is more room within the rate.
    """

    is_paused: bool
    at_once: int | None
    rate: int | None
    seconds: float | None

    @property
    def most(self) -> int | None:
        """How many more jobs may start now."""
        if self.is_paused:
            return 0
        limits = [limit for limit in (self.at_once, self.rate) if limit is not None]
        return max(0, min(limits)) if limits else None


class Held(NamedTuple):
    """The texts that say why ready jobs are not sent: because of a pause, or of a limit."""

    pause: str = ""
    limit: str = ""


def set_durable(cr: Cursor) -> None:
    """Have this transaction's commit wait for the disk, so that a crash loses no start."""
    cr.execute("SET LOCAL synchronous_commit = on")


def lock(cr: Cursor, policy_ids: Collection[int]) -> set[int]:
    """Lock these policies until the commit; return those that nobody else has locked."""
    cr.execute(
        "SELECT id FROM nameko_policy WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [list(policy_ids)],
    )
    return {policy_id for (policy_id,) in cr.fetchall()}


def rooms(cr: Cursor, policy_ids: Collection[int]) -> dict[int, Room]:
    """Return the room of these policies: exact for those that this transaction has locked before.

    A start that is not settled yet counts for as long as that lasts.
    """
    cr.execute(
        f"""
        SELECT policy.id, {IS_PAUSED},
               CASE WHEN policy.most_at_once > 0 THEN policy.most_at_once - running.jobs END,
               CASE WHEN policy.rate > 0 THEN policy.rate - started.jobs END,
               extract(epoch FROM started.first + {WINDOW} - {NOW})::float
          FROM nameko_policy policy
         CROSS JOIN LATERAL (
               SELECT count(*)::int AS jobs FROM nameko_job job
                WHERE policy.most_at_once > 0
                  AND job.state = 'sent' AND job.service = policy.service
                  AND (policy.method IS NULL OR job.method = policy.method)) running
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(start.jobs), 0)::int AS jobs,
                      min(start.moment) FILTER (WHERE start.session IS NULL) AS first
                 FROM nameko_policy_start start
                WHERE policy.rate > 0 AND start.policy_ref = policy.id
                  AND (start.session IS NOT NULL OR start.moment > {NOW} - {WINDOW})) started
         WHERE policy.id = ANY(%s)
        """,  # noqa: S608  constants
        [list(policy_ids)],
    )
    return {policy_id: Room(*values) for policy_id, *values in cr.fetchall()}
