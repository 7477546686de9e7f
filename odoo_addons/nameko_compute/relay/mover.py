"""Publishing what is ready, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..broker import errors
from ..broker.jobs_body import with_results
from ..broker.jobs_consumer import Consumer
from ..broker.jobs_publisher import JobRequest, Publisher, Sent
from ..models.nameko_job_answer import Lost
from ..models.nameko_job_dispatch import Claimed, Room
from .database import Database
from .replies import Replies

_logger = logging.getLogger(__name__)
DISPATCH_BATCH = 250
DISPATCH_BYTES = 4_000_000  # of a batch; one job may be larger


class Mover:
    """Sends what is ready."""

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
        self._last = ""  # the service that had its turn last

    def dispatch(self) -> bool:
        """Publish a batch; tell whether there may be more to publish now.

        :raises Exception: a connection is lost; what the broker had confirmed is noted as sent
        """
        with self._database.jobs(read_committed=True) as jobs:
            rooms = jobs.rooms(self._max_sent)
            batch, more = self._claim(jobs, rooms)
            lost, error = self._publish(jobs, batch, rooms) if batch else ([], None)
        self._replies.give_lost(lost)
        if error:
            raise error
        self._consumer.watch(rooms)
        return more

    def _claim(self, jobs: Any, rooms: Mapping[str, Room]) -> tuple[list[Claimed], bool]:
        """Lock the jobs of a batch; tell whether there may be more of them."""
        share = max(1, DISPATCH_BATCH // max(1, len(rooms)))
        share_bytes = max(1, DISPATCH_BYTES // max(1, len(rooms)))
        batch: list[Claimed] = []
        more, size = False, 0
        for service in sorted(rooms, key=lambda name: (name <= self._last, name)):
            if len(batch) >= DISPATCH_BATCH or size >= DISPATCH_BYTES:
                return batch, True
            most = min(rooms[service].most, share)
            claimed = jobs.claim(service, most, share_bytes, self._publisher.most_bytes)
            claimed_size = sum(job.size for job in claimed)
            more |= len(claimed) == share or claimed_size >= share_bytes
            size += claimed_size
            batch += claimed
            self._last = service
        return batch, more

    def _publish(
        self, jobs: Any, batch: Sequence[Claimed], rooms: Mapping[str, Room]
    ) -> tuple[list[Lost], Exception | None]:
        """Publish jobs that this transaction has locked, and note what became of them.

        Dying between the two leaves them pending: they are published again. Return those that
        cannot be sent, and what broke the connection.
        """
        requests, unsendable = self._requests(batch)
        ids = {job.uuid: job.id for job in batch}
        self._publisher.send(requests)
        jobs.mark_sent([ids[request.uuid] for request in requests])  # the broker works meanwhile
        sent = self._publisher.confirmed()
        self._note_routes(jobs, requests, sent, rooms, ids)
        jobs.mark_refused([ids[uuid] for uuid in sent.refused])
        jobs.mark_unsent([ids[uuid] for uuid in sent.unconfirmed])
        unsendable |= sent.unsendable
        jobs.hold([ids[uuid] for uuid in unsendable])
        return [Lost(uuid, "unsendable", error=e) for uuid, e in unsendable.items()], sent.lost

    def _note_routes(
        self,
        jobs: Any,
        requests: Sequence[JobRequest],
        sent: Sent,
        rooms: Mapping[str, Room],
        ids: Mapping[str, int],
    ) -> None:
        """Note which services have taken requests, and which have no queue.

        Jobs of a service that has had one wait for it; the others have had an attempt.
        """
        unknown = sent.unroutable | sent.unconfirmed | sent.unsendable.keys()
        there = {request.service for request in requests if request.uuid not in unknown}
        known = there | {name for name, room in rooms.items() if room.is_noted or room.is_heard}
        unroutable = [request for request in requests if request.uuid in sent.unroutable]
        waiting = {request.uuid for request in unroutable if request.service in known}
        jobs.mark_unsent([ids[uuid] for uuid in waiting])
        jobs.mark_unroutable([ids[uuid] for uuid in sent.unroutable - waiting])
        routes = jobs.env["nameko.route"]
        routes.note_away({r.service for r in unroutable if r.uuid in waiting} - there)
        routes.note_there({s for s in there if rooms[s].is_away or not rooms[s].is_noted})

    def _requests(
        self, batch: Sequence[Claimed]
    ) -> tuple[list[JobRequest], dict[str, errors.RpcError]]:
        """Build the requests of jobs; of the others, say by uuid why they cannot be sent."""
        requests: list[JobRequest] = []
        unsendable: dict[str, errors.RpcError] = {}
        for job in batch:
            try:
                requests.append(self._request(job))
            except errors.RpcError as error:
                unsendable[job.uuid] = error
            except Exception as error:  # whatever it is, it is this job's alone
                _logger.warning("The request of job %s cannot be built", job.uuid, exc_info=True)
                text = f"The request cannot be built: {type(error).__name__}: {error}"
                unsendable[job.uuid] = errors.NotSendable(text)
        return requests, unsendable

    def _request(self, job: Claimed) -> JobRequest:
        """Build the request of a job's next attempt.

        :raises RpcError: it cannot be sent
        """
        request = JobRequest(
            uuid=job.uuid,
            attempt=job.sendings + 1,
            service=job.service,
            method=job.method,
            body=self._body(job),
            context={
                "user_id": job.user_id,
                "language": job.language,
                "company_id": job.company_id,
                "database": self._database.name,
            },
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
