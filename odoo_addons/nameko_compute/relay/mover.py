"""Moving jobs between one database and the broker, a batch at a time."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ..broker.jobs_body import with_results
from ..broker.jobs_consumer import Consumer
from ..broker.jobs_publisher import JobRequest, Publisher
from ..broker.jobs_reply import Reply
from ..models.nameko_job_dispatch import Claimed
from .database import LOST, Database

_logger = logging.getLogger(__name__)
DISPATCH_BATCH = 250
REPLY_BATCH = 250
TRIES = 4  # of a batch that meets another transaction
FIRST_PAUSE = 0.02  # s before the second try; doubled before each further one


class Mover:
    """Sends what is ready and writes what is answered."""

    def __init__(
        self, database: Database, publisher: Publisher, consumer: Consumer, max_sent: int
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._consumer = consumer
        self._max_sent = max_sent

    # Out

    def dispatch(self) -> bool:
        """Publish a batch; tell whether there may be more to publish now."""
        with self._database.jobs(read_committed=True) as jobs:
            rooms = jobs.rooms(self._max_sent)
            share = max(1, DISPATCH_BATCH // max(1, len(rooms)))
            claimed = [jobs.claim(service, min(room, share)) for service, room in rooms.items()]
            batch = [job for of_service in claimed for job in of_service]
            if batch:
                self._publish(jobs, batch)
        self._consumer.watch(rooms)
        return any(len(of_service) == share for of_service in claimed)

    def _publish(self, jobs: Any, batch: Sequence[Claimed]) -> None:
        """Publish jobs that this transaction has locked, and note what became of them.

        Dying between the two leaves them pending: they are published again.
        """
        self._publisher.send([self._request(job) for job in batch])
        jobs.mark_sent([job.id for job in batch])  # the broker works meanwhile
        sent = self._publisher.confirmed()
        jobs.mark_unroutable([job.id for job in batch if job.uuid in sent.unroutable])
        jobs.mark_refused([job.id for job in batch if job.uuid in sent.refused])

    def _request(self, job: Claimed) -> JobRequest:
        results = job.results_before
        body = with_results(job.arguments, results, job.results_as) if results else job.arguments
        context = {
            "user_id": job.user_id,
            "language": job.language,
            "company_id": job.company_id,
            "database": self._database.name,
        }
        return JobRequest(job.uuid, job.service, job.method, body, context, job.timeout)

    # Back

    def collect(self) -> int:
        """Write a batch of replies, then acknowledge them; gives how many there were."""
        taken = self._consumer.take(REPLY_BATCH)
        if taken:
            unknown, again = self._apply([reply for _, reply in taken])
            aside = [d for d, reply in taken if reply.uuid in unknown or reply.unreadable]
            back = [d for d, reply in taken if reply.uuid in again]
            self._consumer.set_aside(aside)
            self._consumer.give_back(back)
            self._consumer.ack([delivery for delivery, _ in taken])
        return len(taken)

    def _apply(self, replies: Sequence[Reply]) -> tuple[set[str], set[str]]:
        """Write replies together, or one by one where that fails.

        :return: the uuids that name no job, and those whose record is in use for too long
        """
        try:
            return self._attempt(lambda jobs: jobs.apply_replies(replies)), set()
        except Exception as error:
            if is_lost(error):
                raise
            if len(replies) > 1:
                _logger.info("A batch of replies is written one by one: %s", error)
        unknown: set[str] = set()
        again: set[str] = set()
        for reply in replies:
            self._apply_alone(reply, unknown, again)
        return unknown, again

    def _apply_alone(self, reply: Reply, unknown: set[str], again: set[str]) -> None:
        try:
            unknown |= self._attempt(lambda jobs: jobs.apply_replies([reply]))
        except CONFLICTS:
            again.add(reply.uuid)
        except Exception as error:
            if is_lost(error):
                raise
            _logger.warning("The result of job %s cannot be committed", reply.uuid, exc_info=True)
            failure = error
            self._attempt(lambda jobs: jobs.fail_reply(reply, failure))

    def _attempt(self, action: Callable[[Any], Any]) -> Any:
        """Do it in a transaction, again where it meets another one."""
        for tries_left in reversed(range(TRIES)):
            try:
                with self._database.jobs() as jobs:
                    return action(jobs)
            except CONFLICTS:
                if not tries_left:
                    raise
                time.sleep(random.uniform(0.5, 1) * FIRST_PAUSE * 2 ** (TRIES - tries_left))  # noqa: S311
        raise AssertionError("unreachable")

    def note_progress(self) -> None:
        """Write how far running jobs are; what meets a conflict comes again with the next event."""
        shares = self._consumer.take_progress()
        if shares:
            with self._database.jobs(read_committed=True) as jobs:
                jobs.note_progress(shares)

    # By time

    def wake(self, *, waiting: bool) -> int:
        """Make jobs ready whose time has come or, if `waiting`, whose predecessors are done."""
        with self._database.jobs(read_committed=True) as jobs:
            woken = jobs.wake_due() + (jobs.release_waiting() if waiting else 0)
        if waiting:
            woken += self._step("fail_forsaken")
        return int(woken)

    def expire(self) -> int:
        """See to jobs whose time to answer is over; gives how many."""
        return self._step("expire")

    def _step(self, method: str) -> int:
        """Take a batch, or one job where the batch fails, at the worst without its `on_error`."""
        for arguments in ({}, {"most": 1}, {"most": 1, "tell": False}):
            try:
                with self._database.jobs() as jobs:
                    return int(getattr(jobs, method)(**arguments))
            except CONFLICTS:
                return 0
            except Exception as error:
                if is_lost(error):
                    raise
                _logger.warning("%s failed", method, exc_info=True)
        return 0


def is_lost(error: Exception) -> bool:
    """Tell whether the connection to the database is gone, and not only this transaction."""
    return isinstance(error, LOST) and not isinstance(error, CONFLICTS)
