"""Keeps track of cancelled jobs, so that their requests are not run, or are stopped.

Odoo publishes an event on the topic exchange `nameko_jobs.events` with the routing key `cancelled`:
{"job": id}. The event is sent once, so a process that starts later misses it.
"""

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kombu.entity import Exchange, Queue

from services.exceptions import JobCancelled

logger = logging.getLogger(__name__)

EXCHANGE = Exchange("nameko_jobs.events", "topic", durable=True)
ROUTING_KEY = "cancelled"
MAX_WAITING = 10_000  # events in a process's queue
MAX_REMEMBERED = 10_000  # cancelled jobs
REMEMBERED_SECONDS = 3600.0
MAX_EVENT = 1000  # characters
MAX_LOGGED = 100  # events logged per minute, not counting jobs that run here


def events_queue() -> Queue:
    """Return an exclusive queue in which one process receives the events of cancelled jobs."""
    return Queue(
        "",
        EXCHANGE,
        ROUTING_KEY,
        exclusive=True,
        auto_delete=True,
        durable=False,
        queue_arguments={"x-max-length": MAX_WAITING, "x-queue-type": "classic"},
    )


@dataclass(frozen=True)
class Heard:
    """When an event arrived: `at` in seconds since 1970, `clock` on the monotonic clock."""

    at: float
    clock: float


class Cancellations:
    """Remembers cancelled jobs for REMEMBERED_SECONDS, and calls those that watch a job.

    heard_by: the one consumer of this process that consumes the events, or None.
    """

    def __init__(self) -> None:
        self.heard_by: Any = None
        self._heard: OrderedDict[str, Heard] = OrderedDict()
        self._minute, self._logged = 0.0, 0  # the current minute, and the events logged in it
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    def on_event(self, message: Any) -> None:
        """Handle and ack a message from the queue of events, even a malformed one."""
        try:
            job = job_of(message.body)
            if job is not None:
                self.cancel(job)
        except Exception:
            logger.exception("an event of a cancelled job was not handled")
        message.ack()

    def cancel(self, job: str) -> None:
        """Remember that `job` was cancelled, and call those that watch it."""
        watchers = self._watchers.get(job, [])
        if watchers or self._may_log():
            logger.info("job %s was cancelled", job)
        self._heard.pop(job, None)
        self._heard[job] = Heard(time.time(), time.monotonic())
        self._forget()
        for tell in watchers[:]:
            tell()

    def _may_log(self) -> bool:
        """Count an event for the log; return whether it is within this minute's limit."""
        minute = time.monotonic() // 60
        if minute != self._minute:
            self._minute, self._logged = minute, 0
        self._logged += 1
        return self._logged <= MAX_LOGGED

    def _forget(self) -> None:
        oldest = time.monotonic() - REMEMBERED_SECONDS
        while self._heard:
            job, heard = next(iter(self._heard.items()))
            if heard.clock >= oldest and len(self._heard) <= MAX_REMEMBERED:
                break
            del self._heard[job]

    def since(self, job: str, clock: float) -> bool:
        """Return whether `job` was cancelled since `clock`, a time of the monotonic clock."""
        heard = self._heard.get(job)
        return heard is not None and heard.clock >= clock

    def check(self, correlation_id: Any, timestamp: Any) -> None:
        """Raise JobCancelled if the job of a request was cancelled after the request was sent.

        timestamp: when the request was sent, in seconds since 1970, or None if it does not say so.
        A request that was sent after the cancellation runs: its job was started again.
        """
        if self._heard and isinstance(correlation_id, str):
            job = correlation_id.partition(":")[0]
            heard = self._heard.get(job)
            if heard and not (isinstance(timestamp, int) and timestamp >= int(heard.at)):
                raise cancelled(job)

    @contextmanager
    def watching(self, job: str, tell: Callable[[], None]) -> Iterator[None]:
        """Call `tell` when `job` is cancelled while the block runs."""
        self._watchers.setdefault(job, []).append(tell)
        try:
            yield
        finally:
            self._watchers[job].remove(tell)
            if not self._watchers[job]:
                del self._watchers[job]


def job_of(body: Any) -> str | None:
    """Return the job id in the body of an event, or None if the body has none."""
    if len(body) > MAX_EVENT:
        return None
    try:
        job = json.loads(body)["job"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return job if isinstance(job, str) and job else None


def cancelled(job: str) -> JobCancelled:
    return JobCancelled(f"The job {job} was cancelled: it does not run to its end.")


cancellations = Cancellations()  # of this process
