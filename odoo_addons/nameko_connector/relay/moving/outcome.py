"""Write what the broker did with requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...broker.jobs.publisher import Attempt, Sent
from ...job_store import dispatch, routes
from ...job_store.claiming import starts
from ...job_store.claiming.capacities import Capacity
from ...job_store.rows import Cursor


@dataclass(frozen=True)
class Outcome:
    """What the broker did with requests of services that had these capacities.

    ids: of the jobs that are written, by uuid; placed: those that keep their places if they are
    unconfirmed, because a policy limits how many run at a time.
    """

    requests: Sequence[Attempt]
    sent: Sent
    capacities: Mapping[str, Capacity]
    ids: Mapping[str, int]
    placed: Collection[int] = ()

    def apply(self, cr: Cursor) -> None:
        """Write it into the jobs, which are marked as sent, and the routes."""
        self._note_routes(cr)
        dispatch.mark_refused(cr, self._of(self.sent.refused))
        unconfirmed = set(self._of(self.sent.unconfirmed))
        starts.keep_places(cr, unconfirmed & set(self.placed))
        dispatch.mark_unsent(cr, list(unconfirmed - set(self.placed)))
        dispatch.hold(cr, self._of(self.sent.unsendable))

    def _of(self, uuids: Iterable[str]) -> list[int]:
        return [self.ids[uuid] for uuid in uuids if uuid in self.ids]

    def _note_routes(self, cr: Cursor) -> None:
        """Note which services have taken requests, and which have no queue.

        Jobs of a service that has had a queue stay pending; for others, this was an attempt.
        """
        sent, capacities = self.sent, self.capacities
        unknown = sent.unroutable | sent.unconfirmed | sent.unsendable.keys()
        there = {request.service for request in self.requests if request.uuid not in unknown}
        known = there | {
            name for name, capacity in capacities.items() if capacity.is_noted or capacity.is_heard
        }
        unroutable = [request for request in self.requests if request.uuid in sent.unroutable]
        waiting = {request.uuid for request in unroutable if request.service in known}
        dispatch.mark_unsent(cr, self._of(waiting))
        dispatch.mark_unroutable(cr, self._of(sent.unroutable - waiting))
        routes.note_away(cr, {r.service for r in unroutable if r.uuid in waiting} - there)
        routes.note_has_queue(
            cr, {s for s in there if capacities[s].is_away or not capacities[s].is_noted}
        )
