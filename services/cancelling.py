"""The cancelled jobs that this process knows of.

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
MAX_LOGGED = 100  # events a minute, beside those of jobs that run here


def events_queue() -> Queue:
    """Return the queue by which one process hears of cancelled jobs."""
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
    """When an event came: `at` in seconds since 1970, `clock` on the monotonic clock."""

    at: float
    clock: float


class Cancellations:
    """Remembers which jobs were cancelled, the newest ones for a while, and tells who waits.

    heard_by: the one consumer of this process that takes the events, if any.
    """

    def __init__(self) -> None:
        self.heard_by: Any = None
        self._heard: OrderedDict[str, Heard] = OrderedDict()
        self._minute, self._logged = 0.0, 0  # of the last lines of the log, and how many
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    def on_event(self, message: Any) -> None:
        """Take a message from the queue of events, whatever it holds."""
        try:
            job = job_of(message.body)
            if job is not None:
                self.cancel(job)
        except Exception:
            logger.exception("an event of a cancelled job was not handled")
        message.ack()

    def cancel(self, job: str) -> None:
        """Remember that `job` was cancelled, and tell who works for it."""
        watchers = self._watchers.get(job, [])
        if watchers or self._may_log():
            logger.info("job %s was cancelled", job)
        self._heard.pop(job, None)
        self._heard[job] = Heard(time.time(), time.monotonic())
        self._forget()
        for tell in watchers[:]:
            tell()

    def _may_log(self) -> bool:
        """Tell whether there were few lines of the log lately."""
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
        """Tell whether `job` was cancelled after this time of the monotonic clock."""
        heard = self._heard.get(job)
        return heard is not None and heard.clock >= clock

    def check(self, correlation_id: Any, timestamp: Any) -> None:
        """Raise JobCancelled where a request is one of a job that was cancelled after it was sent.

        timestamp: when it was sent, in seconds since 1970, if it says so. A job that is sent again
        after it was cancelled is a new request.
        """
        if self._heard and isinstance(correlation_id, str):
            job = correlation_id.partition(":")[0]
            heard = self._heard.get(job)
            if heard and not (isinstance(timestamp, int) and timestamp >= int(heard.at)):
                raise cancelled(job)

    @contextmanager
    def watching(self, job: str, tell: Callable[[], None]) -> Iterator[None]:
        """Have `tell` called when `job` is cancelled while the block runs."""
        self._watchers.setdefault(job, []).append(tell)
        try:
            yield
        finally:
            self._watchers[job].remove(tell)
            if not self._watchers[job]:
                del self._watchers[job]


def job_of(body: Any) -> str | None:
    """Return the job that an event names, or None if it is no such event."""
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
