"""Publish the ready jobs in batches, and the events of cancelled jobs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ..broker.amqp import errors
from ..broker.jobs.body import with_results
from ..broker.jobs.consumer import Consumer
from ..broker.jobs.publisher import Attempt, Publisher, Sent
from ..job_store import dispatch, routes
from ..job_store.cancelled import take_cancelled
from ..job_store.dispatch import Capacity, Claimed
from ..job_store.rows import Cursor, Lost
from ..tools.requester import worker_context
from .database import Database
from .replies import Replies

_logger = logging.getLogger(__name__)
DISPATCH_BATCH = 250
DISPATCH_BYTES = 4_000_000  # of a batch; one job may be larger


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
        self._last = ""  # the service of the last claim

    def dispatch(self) -> bool:
        """Publish a batch; return whether there may be more to publish now.

        :raises Exception: a connection is lost; confirmed jobs are marked as sent
        """
        with self._database.jobs(read_committed=True) as jobs:
            cr = jobs.env.cr
            capacities = dispatch.capacities(cr, self._max_sent)
            batch, more = self._claim(cr, capacities)
            lost, error = self._publish(cr, batch, capacities) if batch else ([], None)
            jobs.env["nameko.live"]._note([(jobs._name, job.id) for job in batch])
        self._replies.give_lost(lost)
        if error:
            raise error
        self._consumer.watch(capacities)
        return more

    def _claim(self, cr: Cursor, capacities: Mapping[str, Capacity]) -> tuple[list[Claimed], bool]:
        """Lock the jobs of a batch; return them, and whether there may be more."""
        share = max(1, DISPATCH_BATCH // max(1, len(capacities)))
        share_bytes = max(1, DISPATCH_BYTES // max(1, len(capacities)))
        batch: list[Claimed] = []
        more, size = False, 0
        for service in sorted(capacities, key=lambda name: (name <= self._last, name)):
            if len(batch) >= DISPATCH_BATCH or size >= DISPATCH_BYTES:
                return batch, True
            most = min(capacities[service].most, share)
            claimed = dispatch.claim(cr, service, most, share_bytes, self._publisher.most_bytes)
            claimed_size = sum(job.size for job in claimed)
            more |= len(claimed) == share or claimed_size >= share_bytes
            size += claimed_size
            batch += claimed
            self._last = service
        return batch, more

    def _publish(
        self, cr: Cursor, batch: Sequence[Claimed], capacities: Mapping[str, Capacity]
    ) -> tuple[list[Lost], Exception | None]:
        """Publish jobs that this transaction has locked, and write the outcome.

        If the process dies before the commit, they are pending and are published again. Return
        those that cannot be sent, and the error that broke the connection, or None.
        """
        requests, unsendable = self._requests(batch)
        ids = {job.uuid: job.id for job in batch}
        self._publisher.send(requests)
        dispatch.mark_sent(
            cr, [ids[request.uuid] for request in requests]
        )  # the broker works meanwhile
        sent = self._publisher.confirmed()
        self._note_routes(cr, requests, sent, capacities, ids)
        dispatch.mark_refused(cr, [ids[uuid] for uuid in sent.refused])
        dispatch.mark_unsent(cr, [ids[uuid] for uuid in sent.unconfirmed])
        unsendable |= sent.unsendable
        dispatch.hold(cr, [ids[uuid] for uuid in unsendable])
        return [Lost(uuid, "unsendable", error=e) for uuid, e in unsendable.items()], sent.lost

    def _note_routes(
        self,
        cr: Cursor,
        requests: Sequence[Attempt],
        sent: Sent,
        capacities: Mapping[str, Capacity],
        ids: Mapping[str, int],
    ) -> None:
        """Note which services have taken requests, and which have no queue.

        Jobs of a service that has had a queue stay pending; for others, this was an attempt.
        """
        unknown = sent.unroutable | sent.unconfirmed | sent.unsendable.keys()
        there = {request.service for request in requests if request.uuid not in unknown}
        known = there | {
            name for name, capacity in capacities.items() if capacity.is_noted or capacity.is_heard
        }
        unroutable = [request for request in requests if request.uuid in sent.unroutable]
        waiting = {request.uuid for request in unroutable if request.service in known}
        dispatch.mark_unsent(cr, [ids[uuid] for uuid in waiting])
        dispatch.mark_unroutable(cr, [ids[uuid] for uuid in sent.unroutable - waiting])
        routes.note_away(cr, {r.service for r in unroutable if r.uuid in waiting} - there)
        routes.note_has_queue(
            cr, {s for s in there if capacities[s].is_away or not capacities[s].is_noted}
        )

    def _requests(
        self, batch: Sequence[Claimed]
    ) -> tuple[list[Attempt], dict[str, errors.RpcError]]:
        """Build the requests of jobs; return the errors of the others by uuid."""
        requests: list[Attempt] = []
        unsendable: dict[str, errors.RpcError] = {}
        for job in batch:
            try:
                requests.append(self._request(job))
            except errors.RpcError as error:
                unsendable[job.uuid] = error
            except Exception as error:  # it concerns only this job
                _logger.warning("The request of job %s cannot be built", job.uuid, exc_info=True)
                text = f"The request cannot be built: {type(error).__name__}: {error}"
                unsendable[job.uuid] = errors.NotSendable(text)
        return requests, unsendable

    def _request(self, job: Claimed) -> Attempt:
        """Build the request of a job's next attempt.

        :raises RpcError: it cannot be sent
        """
        request = Attempt(
            uuid=job.uuid,
            attempt=job.sendings + 1,
            attempts_before=job.sendings_before or 0,
            service=job.service,
            method=job.method,
            body=self._body(job),
            context=worker_context(
                self._database.name,
                user_id=job.user_id,
                company_id=job.company_id,
                language=job.language,
            ),
            seconds=float(job.timeout),
        )
        self._publisher.check(request)
        return request

    def _body(self, job: Claimed) -> str:
        if job.arguments is None:
            raise self._publisher.too_large(job.service, job.method, job.size)
        if not job.results_before:
            return job.arguments
        return with_results(job.arguments, job.results_before, job.results_as)


class Cancelled:
    """Publishes events for jobs that were cancelled after they were sent."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def turn(self) -> None:
        """Publish some events; after an error, they are published again later.

        :raises Exception: a connection is lost, or the broker refuses the events
        """
        if self._publisher.blocked:
            return
        with self._database.rows() as cr:
            uuids = take_cancelled(cr)
            if uuids:
                self._publisher.announce_cancelled(uuids)
