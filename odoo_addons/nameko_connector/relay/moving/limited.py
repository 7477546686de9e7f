"""Publish jobs that policies or keys limit, in two transactions: see `job_store/claiming`."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...broker.amqp.errors import RpcError
from ...broker.jobs.publisher import Attempt, Publisher, Sent
from ...job_store import dispatch
from ...job_store.claiming import limits, starts
from ...job_store.claiming.capacities import Capacity
from ...job_store.claiming.claim import Claimed, claim
from ...job_store.claiming.limits import Room
from ...job_store.rows import Cursor, Lost
from ..database import Database
from ..replies import Replies
from .lanes import LimitedLane, lanes_of, policies_of
from .outcome import Outcome
from .requests import Requests
from .share import DISPATCH_BATCH, DISPATCH_BYTES, Turns


@dataclass(frozen=True)
class Started:
    """Jobs that are marked sent and are published next.

    ids: of the jobs, by uuid; unsendable: the errors of others, by uuid; notes: the jobs of each
    note of a start, by its id; placed: the jobs under a limit at a time, or with a limit key.
    """

    requests: Sequence[Attempt]
    ids: Mapping[str, int]
    unsendable: dict[str, RpcError]
    notes: Mapping[int, Collection[int]]
    placed: Collection[int]


class Limited:
    """Publishes jobs within the limits of policies, and jobs with limit keys."""

    def __init__(
        self, database: Database, publisher: Publisher, requests: Requests, replies: Replies
    ) -> None:
        self._database, self._publisher = database, publisher
        self._requests, self._replies = requests, replies
        self._turns: Turns[tuple[str, str]] = Turns()
        self._due_at = math.inf  # time.monotonic at which a rate allows more

    @property
    def seconds_left(self) -> float:
        """The time until a rate allows more jobs, if none are published meanwhile."""
        return max(0.0, self._due_at - time.monotonic())

    def turn(self, found: Mapping[str, Capacity], taken: Counter[str]) -> bool:
        """Publish some jobs; return whether there may be more to publish now.

        :param taken: how many jobs of each service this dispatch has published already
        :raises Exception: a connection is lost; confirmed jobs are marked as sent
        """
        self._due_at = math.inf
        lanes = lanes_of(found, taken)
        started = self._start(lanes) if lanes else None
        if started is None:
            return False
        self.publish(started, found)
        return True

    def start_keyed(self, cr: Cursor, batch: Sequence[Claimed]) -> Started:
        """Mark claimed jobs with limit keys as sent; `publish` them after the commit."""
        limits.set_durable(cr)
        return self._marked(cr, batch, {}, ())

    def publish(self, started: Started, found: Mapping[str, Capacity]) -> None:
        """Publish jobs that are marked as sent, and write the outcome.

        :raises Exception: a connection is lost; confirmed jobs are marked as sent
        """
        sent = self._publish(started.requests)
        self._settle(started, sent, found)
        unsendable = started.unsendable | sent.unsendable
        self._replies.give_lost([Lost(u, "unsendable", error=e) for u, e in unsendable.items()])
        if sent.lost:
            raise sent.lost

    def _start(self, lanes: Sequence[LimitedLane]) -> Started | None:
        """Claim jobs and mark them sent, in a transaction of its own; return None if none may."""
        with self._database.jobs(read_committed=True) as jobs:
            cr = jobs.env.cr
            lanes = self._with_room(cr, lanes)
            if not lanes:
                return None
            limits.set_durable(cr)
            rooms = limits.rooms(cr, limits.lock(cr, policies_of(lanes)))
            batch = self._claim(cr, lanes, rooms)
            jobs.env["nameko.live"]._note([(jobs._name, job.id) for job in batch])
            if not batch:
                return None
            under = {
                policy.id: [job.id for job in batch if lane.has(job, policy)]
                for lane in lanes
                for policy in lane.policies
                if policy.id in rooms
            }
            places = [ids for policy, ids in under.items() if rooms[policy].at_once is not None]
            return self._marked(cr, batch, under, set().union(*places))

    def _with_room(self, cr: Cursor, lanes: Sequence[LimitedLane]) -> list[LimitedLane]:
        """Return the lanes that have room, by a look without a lock; note when others have some."""
        rooms = limits.rooms(cr, policies_of(lanes))
        spent = [room.seconds for room in rooms.values() if room.rate is not None and room.rate < 1]
        self._due_at = time.monotonic() + min((s for s in spent if s is not None), default=math.inf)
        return [lane for lane in lanes if lane.room(rooms) > 0]

    def _claim(
        self, cr: Cursor, lanes: Sequence[LimitedLane], rooms: Mapping[int, Room]
    ) -> list[Claimed]:
        share = max(1, DISPATCH_BATCH // len(lanes))
        share_bytes = max(1, DISPATCH_BYTES // len(lanes))
        by_name = {(lane.service, lane.method): lane for lane in lanes}
        batch: list[Claimed] = []
        for name in self._turns.of(by_name):
            if len(batch) >= DISPATCH_BATCH or sum(job.size for job in batch) >= DISPATCH_BYTES:
                break
            wanted = by_name[name].wanted(cr, rooms, share)
            if wanted.most > 0:
                batch += claim(cr, wanted, share_bytes, self._publisher.most_bytes)
            self._turns.end(name)
        return batch

    def _marked(
        self,
        cr: Cursor,
        batch: Sequence[Claimed],
        under: Mapping[int, Collection[int]],
        placed: Collection[int],
    ) -> Started:
        """Mark the jobs as sent and note their starts, before they are published.

        :param under: the ids of the jobs under each policy
        :param placed: the ids of those under a limit at a time
        """
        requests, unsendable = self._requests.build(batch)
        ids = {job.uuid: job.id for job in batch if job.uuid not in unsendable}
        dispatch.mark_sent(cr, list(ids.values()))
        dispatch.hold(cr, [job.id for job in batch if job.uuid in unsendable])
        keyed = {job.id for job in batch if job.has_key}
        started = {
            policy: {*jobs} & {*ids.values()}
            for policy, jobs in {**under, starts.OF_KEYS: keyed}.items()
        }
        notes = starts.note(cr, {policy: jobs for policy, jobs in started.items() if jobs})
        of_notes = {note: started[policy] for policy, note in notes.items()}
        return Started(requests, ids, unsendable, of_notes, {*placed} | keyed)

    def _publish(self, requests: Sequence[Attempt]) -> Sent:
        try:
            self._publisher.send(requests)
            return self._publisher.confirmed()
        except BaseException:
            with contextlib.suppress(Exception), self._database.rows() as cr:
                starts.recover(cr)
            raise

    def _settle(self, started: Started, sent: Sent, found: Mapping[str, Capacity]) -> None:
        """Write the outcome into the jobs that nobody has ended meanwhile, and into the notes."""
        never = {
            started.ids[uuid] for uuid in sent.unroutable | sent.refused | sent.unsendable.keys()
        }
        with self._database.rows() as cr:
            held = set(starts.still_sent(cr, started.ids.values()))
            ids = {uuid: job_id for uuid, job_id in started.ids.items() if job_id in held}
            Outcome(started.requests, sent, found, ids, started.placed).apply(cr)
            starts.settle(cr, {note: len({*jobs} - never) for note, jobs in started.notes.items()})
