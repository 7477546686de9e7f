"""The lanes of limited jobs: of a whole service, or of a method if only that is limited."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...job_store.claiming.capacities import Capacity
from ...job_store.claiming.claim import Claimed, Lane
from ...job_store.claiming.limits import Room
from ...job_store.claiming.methods import open_methods
from ...job_store.claiming.policies import Policy
from ...job_store.rows import Cursor


@dataclass(frozen=True)
class LimitedLane:
    """Jobs that a policy limits.

    method: "" if the policy is of the whole service; most: how many may be sent, whatever the
    policies allow; policies: first the one of the lane, then those of methods in it.
    """

    service: str
    method: str
    most: int
    policies: Sequence[Policy]

    def has(self, job: Claimed, policy: Policy) -> bool:
        """Return whether the job is in this lane and under this policy of it."""
        return job.service == self.service and (policy.method or job.method) == job.method

    def room(self, rooms: Mapping[int, Room]) -> int:
        """Return how many jobs may start; none if the policy's row was locked by others."""
        return self._room(self.policies[0], rooms)

    def wanted(self, cr: Cursor, rooms: Mapping[int, Room], share: int) -> Lane:
        """Return what to claim, at most `share` jobs."""
        most = min(share, self.room(rooms))
        if self.method:
            return Lane(self.service, most, {self.method: most})
        of_methods = {p.method: self._room(p, rooms) for p in self.policies[1:] if p.method}
        if not of_methods:
            return Lane(self.service, most)
        closed = [method for method, room in of_methods.items() if room < 1]
        names = open_methods(cr, self.service, closed)
        return Lane(self.service, most, {n: min(most, of_methods.get(n, most)) for n in names})

    def _room(self, policy: Policy, rooms: Mapping[int, Room]) -> int:
        if policy.id not in rooms:
            return 0
        most = rooms[policy.id].most
        return self.most if most is None else min(self.most, most)


def lanes_of(found: Mapping[str, Capacity], taken: Mapping[str, int]) -> list[LimitedLane]:
    """Return the lanes of services with ready jobs that policies limit.

    :param taken: the number of jobs of each service that its capacity does not include any more
    """
    lanes = []
    for service, capacity in found.items():
        most = capacity.most - taken.get(service, 0)
        if most > 0:
            lanes += _lanes(service, most, capacity)
    return lanes


def _lanes(service: str, most: int, capacity: Capacity) -> list[LimitedLane]:
    limit, methods = capacity.steering.limit, capacity.steering.methods
    if limit:
        return [LimitedLane(service, "", most, [limit, *methods.values()])]
    return [
        LimitedLane(service, name, most, [policy])
        for name, policy in methods.items()
        if not policy.is_paused
    ]


def policies_of(lanes: Collection[LimitedLane]) -> list[int]:
    """Return the ids of the policies of these lanes."""
    return [policy.id for lane in lanes for policy in lane.policies]
