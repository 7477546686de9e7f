"""The main loop of the relay: it moves the jobs of one database between PostgreSQL and the broker.

It connects to both, and repeats these steps, without a long wait (`Rounds.turn`):

1. **Hear** PostgreSQL's notifications of new and finished jobs. This session also shows that the
   process is alive: if it is silent for 30 s, other relays end this process's sessions.
2. **Drain** the broker: confirms, replies, progress.
3. **Replies** go to the writers, threads with their own sessions (`writing`). Each reply comes
   back as written (it is acknowledged), dead (it belongs to no job: it is dead-lettered) or busy
   (a row is locked: it is parked in the broker for 5 s). No reply is acknowledged before its
   commit.
4. **The clock** runs periodic steps, most of them once a second (`clock`): extend the deadlines of
   jobs whose answers are here, wake jobs at their start time, retry late jobs (`lateness`),
   announce cancelled jobs, fail jobs whose service's queue is gone (`nameko_route`), end frozen
   relays, end pauses, look after the starts of ended relays, write progress, release jobs that
   wait for others, notify open views (`live`).
5. **Dispatch** (`moving`) claims ready jobs, publishes them and marks them sent, in one
   transaction; in two, if a policy limits them.
6. If there is nothing to do, it **waits** for any of these, a second at most.

A separate thread updates the catalogue of services (`catalogue`).

What happens when a step fails:

- A connection is lost: it closes all connections and reconnects, with growing pauses, without
  a limit. The broker redelivers unacknowledged replies; those already written are dropped.
- The database is neutralized, or was restored, copied or moved: it logs this once and waits until
  an administrator has decided (`models/jobs/nameko_database`).
- A row, record or callback causes an error: its job fails, its reply is parked, or it is written
  in its own transaction; the others continue (`models/jobs/nameko_job_answers`).
- A callback is slow or does not return: see `writing`.
- A callback crashes this process: the broker redelivers the reply. It is written alone, each try
  is counted in its row, and its job fails after five tries.
- A step of the clock fails: it is logged and retried, at growing intervals.
- Too many callbacks do not return: the process exits with 1.
"""

from __future__ import annotations

import logging
import random
import select
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from ..broker.amqp.config import BrokerConfig
from ..broker.jobs.consumer import Consumer, reply_key
from ..broker.jobs.dead_requests import answering_dead_requests
from ..broker.jobs.publisher import Publisher
from ..exceptions import SendingRefused
from ..models.monitoring.nameko_live import collecting
from . import watchdog
from .catalogue import keeping_catalogue
from .clock import Clock
from .database import Database, Listener
from .identity import identity_of
from .lateness import Lateness
from .moving.cancelled import Cancelled
from .moving.mover import Mover
from .replies import Replies
from .writing.threads import CALLBACK_SECONDS, Writers

_logger = logging.getLogger(__name__)
IDLE_SECONDS = 1.0  # between two runs of the clock
LONGEST_PAUSE = 30.0  # s between two attempts to connect
DRAIN_SECONDS = 20.0
REFUSED_SECONDS = 3.0  # between two checks whether the database may send
STOP_SECONDS = 5.0  # to wait for callbacks that still run


@dataclass(frozen=True)
class Settings:
    """The settings of a relay.

    alive_file: updated every second; empty, or the reason why the relay may not work;
    callback_seconds: the longest time of a callback.
    """

    database: str
    broker: BrokerConfig
    max_sent: int
    alive_file: Path
    callback_seconds: float = CALLBACK_SECONDS


class Relay:
    """Moves the jobs of one database until it is asked to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = False
        self._pause = 0.0
        self._refusal = ""  # why nothing may leave the database
        self._writers = Writers(settings.database, settings.callback_seconds)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        watchdog.install()
        while not self._stopping:
            try:
                self._serve()
            except SendingRefused as refusal:
                self._wait_for_somebody(str(refusal))
            except Exception as error:
                _logger.warning("The relay connects again: %s", error, exc_info=not expected(error))
                self._wait_before_next()
        self._writers.stop(STOP_SECONDS)
        _logger.info("The relay has stopped")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._writers.wake()  # and with it the loop

    def _wait_for_somebody(self, refusal: str) -> None:
        """Log once why nothing may be sent, write it for `--check`, and wait."""
        if refusal != self._refusal:
            _logger.warning("The relay waits: %s", refusal)
        self._refusal = refusal
        self._settings.alive_file.write_text(refusal)
        self._wait(REFUSED_SECONDS)

    def _wait_before_next(self) -> None:
        self._pause = min(LONGEST_PAUSE, max(0.2, 2 * self._pause))
        self._wait(self._pause * random.uniform(0.5, 1))  # noqa: S311

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.1)

    def _serve(self) -> None:
        with connections(self._settings, self._writers) as connected:
            self._pause = 0.0
            self._refusal = ""
            self._settings.alive_file.write_text("")
            _logger.info("The relay serves the database %s", self._settings.database)
            rounds = Rounds(connected, self._writers, self._settings.alive_file)
            while not self._stopping:
                rounds.turn()
            rounds.drain()
            self._finish(connected)

    def _finish(self, connected: Connected) -> None:
        """Do what is left when the relay stops in order."""


class Connected(NamedTuple):
    """The connections of a relay, and the objects that use them."""

    listener: Listener
    publisher: Publisher
    consumer: Consumer
    mover: Mover
    replies: Replies
    clock: Clock


class Rounds:
    """The relay's loop over its connections."""

    def __init__(self, connected: Connected, writers: Writers, alive_file: Path) -> None:
        self._connected = connected
        self._writers = writers
        self._alive_file = alive_file
        self._dispatch = True  # jobs may have been made while no relay ran
        connected.clock.live.catch_up()
        self._tick_at = 0.0

    def turn(self) -> None:
        """Do one round of the steps in the module's docstring."""
        connected = self._connected
        heard = connected.listener.heard()
        self._dispatch |= bool(heard)
        connected.clock.waiting.hear(heard)
        connected.clock.live.hear(heard)
        self._exchange()
        self._dispatch |= connected.replies.turn() > 0  # more may be sent now
        self._look_at_the_clock()
        connected.clock.tell()
        self._dispatch |= connected.mover.seconds_left <= 0  # a rate allows more
        if self._dispatch and not connected.publisher.blocked:
            self._dispatch = connected.mover.dispatch()
        else:
            self._wait()

    def _exchange(self) -> None:
        self._connected.publisher.drain()
        self._connected.consumer.drain()
        if self._connected.consumer.cancelled:
            raise ConnectionError("the queue of the replies was deleted")

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if now > self._tick_at or self._connected.clock.is_due:
            self._tick_at = now + IDLE_SECONDS
            self._alive_file.touch()
            self._connected.clock.turn()
            self._writers.watch()
            self._dispatch = True

    def _wait(self) -> None:
        listener, publisher, consumer, *_ = self._connected
        sources: list[Any] = [listener, publisher, self._writers]
        if not consumer.is_full:
            sources.append(consumer)
        if not (consumer.waiting and self._writers.has_room):
            # While the broker blocks publishers, jobs to dispatch are no reason to hurry.
            due = IDLE_SECONDS if self._dispatch else self._connected.mover.seconds_left
            patience = min(IDLE_SECONDS, due, self._connected.clock.live.seconds_left)
            select.select(sources, [], [], patience)

    def drain(self) -> None:
        """Before stopping, write the replies that were delivered, for DRAIN_SECONDS at most."""
        until = time.monotonic() + DRAIN_SECONDS
        replies = self._connected.replies
        while replies.uuids() and time.monotonic() < until:
            self._connected.consumer.drain()
            self._writers.watch()
            if not replies.turn():
                select.select([self._writers], [], [], 0.1)


@contextmanager
def connections(settings: Settings, writers: Writers) -> Iterator[Connected]:
    """Open the connections and threads of a relay, and close them after the block."""
    database = Database(settings.database)
    with ExitStack() as stack:
        stack.callback(database.close)
        identity = identity_of(database)
        listener = Listener(settings.database)
        stack.callback(listener.close)
        consumer = Consumer(settings.broker, identity)
        stack.callback(consumer.close)
        publisher = Publisher(settings.broker, reply_key(identity))
        stack.callback(publisher.close)
        stack.enter_context(keeping_catalogue(settings.database, settings.broker, identity))
        stack.enter_context(answering_dead_requests(settings.broker))
        replies = Replies(consumer, writers)
        stack.enter_context(collecting(settings.database))
        mover = Mover(database, publisher, consumer, replies, settings.max_sent)
        lateness = Lateness(database, consumer, replies)
        cancelled = Cancelled(database, publisher)
        clock = Clock(database, consumer, replies, lateness, cancelled)
        yield Connected(listener, publisher, consumer, mover, replies, clock)


def expected(error: Exception) -> bool:
    """Return whether an error is an outage, which is logged without a traceback."""
    from ..broker.amqp.connecting import BROKER_LOST  # noqa: PLC0415
    from ..broker.amqp.errors import RpcError  # noqa: PLC0415
    from ..exceptions import NamekoError  # noqa: PLC0415
    from .database import DATABASE_LOST  # noqa: PLC0415

    return isinstance(error, (RpcError, NamekoError, *BROKER_LOST, *DATABASE_LOST))
