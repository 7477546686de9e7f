"""The relay's process: connects, serves, and connects again for ever."""

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
from typing import NamedTuple

from ..broker.config import BrokerConfig
from ..broker.jobs_consumer import Consumer, reply_key
from ..broker.jobs_publisher import Publisher
from . import watchdog
from .catalogue import Catalogue
from .database import Database, Listener
from .mover import REPLY_BATCH, Mover

_logger = logging.getLogger(__name__)
IDLE_SECONDS = 1.0  # between two looks at the clock
WAITING_SECONDS = 30.0  # between two looks at all jobs that wait for others
LONGEST_PAUSE = 30.0  # s between two attempts to connect
DRAIN_SECONDS = 20.0
STREAM = 5  # replies at once, from which on it is worth waiting for more: a large batch costs less
GATHERING_SECONDS = 0.05


@dataclass(frozen=True)
class Settings:
    """What a relay is told. alive_file: touched every second while it works."""

    database: str
    broker: BrokerConfig
    max_sent: int
    alive_file: Path
    take_over: bool = False


class Relay:
    """Moves the jobs of one database until it is asked to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = False
        self._pause = 0.0

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        watchdog.install()
        while not self._stopping:
            try:
                self._serve()
            except Exception as error:
                _logger.warning("The relay connects again: %s", error, exc_info=not expected(error))
                self._wait_before_next()
        _logger.info("The relay has stopped")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _wait_before_next(self) -> None:
        self._pause = min(LONGEST_PAUSE, max(0.2, 2 * self._pause))
        until = time.monotonic() + self._pause * random.uniform(0.5, 1)  # noqa: S311
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.1)

    def _serve(self) -> None:
        with connections(self._settings) as connected:
            self._pause = 0.0
            _logger.info("The relay serves the database %s", self._settings.database)
            rounds = Rounds(connected, self._settings.alive_file)
            while not self._stopping:
                rounds.turn()
            rounds.drain()


class Connected(NamedTuple):
    """What a relay works with while its connections hold."""

    listener: Listener
    publisher: Publisher
    consumer: Consumer
    mover: Mover
    catalogue: Catalogue


class Rounds:
    """The relay's loop over its connections."""

    def __init__(self, connected: Connected, alive_file: Path) -> None:
        self._listener, self._publisher, self._consumer, self._mover, self._catalogue = connected
        self._alive_file = alive_file
        self._dispatch = self._release = True  # whatever happened while no relay ran
        self._tick_at = self._release_at = 0.0

    def turn(self) -> None:
        """Do what there is to do, or wait for something."""
        self._hear()
        self._exchange()
        self._look_at_the_clock()
        collected = self._mover.collect()
        self._dispatch |= collected > 0  # there is room for more
        if self._dispatch and not self._publisher.blocked:
            self._dispatch = self._mover.dispatch()
        elif not self._consumer.waiting:
            self._wait()
        if STREAM <= collected < REPLY_BATCH and not self._dispatch:
            time.sleep(GATHERING_SECONDS)

    def _hear(self) -> None:
        heard = self._listener.heard()
        self._dispatch |= bool(heard)
        self._release |= "finished" in heard

    def _exchange(self) -> None:
        self._publisher.drain()
        self._consumer.drain()
        if self._consumer.cancelled:
            raise ConnectionError("the queue of the replies was deleted")
        self._mover.note_progress()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        self._release |= now > self._release_at
        if now > self._tick_at or self._release:
            self._tick_at = now + IDLE_SECONDS
            self._alive_file.touch()
            self._mover.expire()
            self._mover.wake(waiting=self._release)
            self._catalogue.turn()
            self._dispatch = True
        if self._release:
            self._release, self._release_at = False, now + WAITING_SECONDS

    def _wait(self) -> None:
        if not self._consumer.waiting:
            select.select([self._listener, self._publisher, self._consumer], [], [], IDLE_SECONDS)

    def drain(self) -> None:
        """Write the replies that were taken from the broker."""
        until = time.monotonic() + DRAIN_SECONDS
        while self._consumer.waiting and time.monotonic() < until:
            self._mover.collect()


@contextmanager
def connections(settings: Settings) -> Iterator[Connected]:
    """Open everything a relay needs, and close it."""
    database = Database(settings.database)
    with ExitStack() as stack:
        stack.callback(database.close)
        listener = Listener(settings.database)
        stack.callback(listener.close)
        with database.jobs() as jobs:
            identity = jobs.database_identity(take_over=settings.take_over)
        consumer = Consumer(settings.broker, identity)
        stack.callback(consumer.close)
        publisher = Publisher(settings.broker, reply_key(identity))
        stack.callback(publisher.close)
        catalogue = Catalogue(database, settings.broker, identity)
        stack.callback(catalogue.close)
        mover = Mover(database, publisher, consumer, settings.max_sent)
        yield Connected(listener, publisher, consumer, mover, catalogue)


def expected(error: Exception) -> bool:
    """Tell whether an error is one of the outages that a relay lives with."""
    from ..broker.errors import RpcError  # noqa: PLC0415
    from ..broker.wire import LOST as BROKER_LOST  # noqa: PLC0415
    from ..exceptions import NamekoError  # noqa: PLC0415
    from .database import LOST as DATABASE_LOST  # noqa: PLC0415

    return isinstance(error, (RpcError, NamekoError, *BROKER_LOST, *DATABASE_LOST))
