"""Read which policies hold or limit jobs now, and end pauses whose time is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..rows import NOW, Cursor

IS_PAUSED = f"(policy.is_paused AND coalesce(policy.paused_until > {NOW}, true))"
IS_LIMITED = "(policy.most_at_once > 0 OR policy.rate > 0)"
# The policies of the service in the row `ready`, as JSON; NULL if none holds or limits it.
OF_SERVICE = f"""
    (SELECT json_agg(json_build_array(policy.id, policy.method, {IS_PAUSED}))
       FROM nameko_policy policy
      WHERE policy.service = ready.service AND ({IS_PAUSED} OR {IS_LIMITED}))
"""  # noqa: S608  constants


class Policy(NamedTuple):
    """A policy that pauses or limits jobs now; method: None for the whole service."""

    id: int
    method: str | None
    is_paused: bool


@dataclass(frozen=True)
class Steering:
    """The policies that pause or limit the jobs of a service now."""

    policies: Sequence[Policy] = ()

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]] | None) -> Steering:
        """Return what OF_SERVICE says."""
        return cls([Policy(*row) for row in rows or ()])

    @property
    def is_paused(self) -> bool:
        """Whether the whole service is paused."""
        return any(policy.is_paused for policy in self.policies if policy.method is None)

    @property
    def limit(self) -> Policy | None:
        """The policy that limits the whole service."""
        return next((policy for policy in self.policies if policy.method is None), None)

    @property
    def methods(self) -> dict[str, Policy]:
        """The policies of methods."""
        return {policy.method: policy for policy in self.policies if policy.method is not None}


END_PAUSES = f"""
    UPDATE nameko_policy SET is_paused = false, pause_reason = NULL, paused_until = NULL
     WHERE id IN (SELECT id FROM nameko_policy WHERE is_paused AND paused_until <= {NOW}
                     FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
"""  # noqa: S608  constants


def end_pauses(cr: Cursor) -> list[int]:
    """Clear the pauses whose end has come; return the ids of their policies."""
    cr.execute(END_PAUSES)
    return [policy_id for (policy_id,) in cr.fetchall()]
