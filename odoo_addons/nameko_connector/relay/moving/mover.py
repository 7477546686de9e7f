"""Publish the ready jobs in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...broker.jobs.consumer import Consumer
from ...broker.jobs.publisher import Publisher
from ...job_store import dispatch
from ...job_store.claiming.capacities import Capacity, capacities
from ...job_store.claiming.claim import Claimed, Lane, claim
from ...job_store.claiming.methods import open_methods
from ...job_store.rows import Cursor, Lost
from ..database import Database
from ..replies import Replies
from .limited import Limited
from .outcome import Outcome
from .requests import Requests
from .share import DISPATCH_BATCH, DISPATCH_BYTES, Turns


class Mover:
    """Publishes ready jobs."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        consumer: Consumer,
        replies: Replies,
        max_sent: int,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._consumer = consumer
        self._replies = replies
        self._max_sent = max_sent
        self._requests = Requests(database.name, publisher)
        self._limited = Limited(database, publisher, self._requests, replies)
        self._turns: Turns[str] = Turns()

    @property
    def seconds_left(self) -> float:
        """The time until a rate allows more jobs, if none are published meanwhile."""
        return self._limited.seconds_left

    def dispatch(self) -> bool:
        """Publish a batch; return whether there may be more to publish now.

        :raises Exception: a connection is lost; confirmed jobs are marked as sent
        """
        with self._database.jobs(read_committed=True) as jobs:
            cr = jobs.env.cr
            found = capacities(cr, self._max_sent)
            batch, more = self._claim(cr, found)
            keyed = [job for job in batch if job.has_key]
            others = [job for job in batch if not job.has_key]
            lost, error = self._publish(cr, others, found) if others else ([], None)
            started = self._limited.start_keyed(cr, keyed) if keyed and not error else None
            jobs.env["nameko.live"]._note([(jobs._name, job.id) for job in batch])
        self._replies.give_lost(lost)
        if error:
            raise error
        if started:
            self._limited.publish(started, found)
        more |= self._limited.turn(found, Counter(job.service for job in batch))
        self._consumer.watch(found)
        return more

    def _claim(self, cr: Cursor, found: Mapping[str, Capacity]) -> tuple[list[Claimed], bool]:
        """Lock the jobs of a batch; return them, and whether there may be more."""
        services = [name for name, capacity in found.items() if not capacity.steering.limit]
        share = max(1, DISPATCH_BATCH // max(1, len(services)))
        share_bytes = max(1, DISPATCH_BYTES // max(1, len(services)))
        batch: list[Claimed] = []
        more, size = False, 0
        for service in self._turns.of(services):
            if len(batch) >= DISPATCH_BATCH or size >= DISPATCH_BYTES:
                return batch, True
            lane = _lane(cr, service, found[service], share)
            claimed = claim(cr, lane, share_bytes, self._publisher.most_bytes)
            claimed_size = sum(job.size for job in claimed)
            more |= len(claimed) == share or claimed_size >= share_bytes
            size += claimed_size
            batch += claimed
            self._turns.end(service)
        return batch, more

    def _publish(
        self, cr: Cursor, batch: Sequence[Claimed], found: Mapping[str, Capacity]
    ) -> tuple[list[Lost], Exception | None]:
        """Publish jobs that this transaction has locked, and write the outcome.

        If the process dies before the commit, they are pending and are published again. Return
        those that cannot be sent, and the error that broke the connection, or None.
        """
        requests, unsendable = self._requests.build(batch)
        ids = {job.uuid: job.id for job in batch}
        self._publisher.send(requests)
        dispatch.mark_sent(
            cr, [ids[request.uuid] for request in requests]
        )  # the broker works meanwhile
        sent = self._publisher.confirmed()
        dispatch.hold(cr, [ids[uuid] for uuid in unsendable])
        Outcome(requests, sent, found, ids).apply(cr)
        unsendable |= sent.unsendable
        return [Lost(uuid, "unsendable", error=e) for uuid, e in unsendable.items()], sent.lost


def _lane(cr: Cursor, service: str, capacity: Capacity, share: int) -> Lane:
    """Return the jobs of a service that no policy pauses or limits, at most `share`."""
    most = min(capacity.most, share)
    closed = capacity.steering.methods
    if not closed:
        return Lane(service, most)
    return Lane(service, most, dict.fromkeys(open_methods(cr, service, closed), most))
