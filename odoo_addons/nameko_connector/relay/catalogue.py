"""Update the catalogue of services in a separate thread of the relay.

The thread has its own session in PostgreSQL and its own connection to the broker. It repeats this:

1. **Listen**: consume the beats that have arrived. Invalid messages are counted and dropped.
2. **Write**, every 5 s, what is new in the beats, and which instances have missed beats.
3. **Ask** RabbitMQ's management API once a minute, if configured, how many requests wait in the
   queues of services, and for services that send no beats.

Errors are logged, and the step is repeated: instances send the next beat soon. A locked row, a slow
statement or a flood of beats delays the catalogue and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Iterator
from itertools import accumulate, takewhile

from ..broker.amqp.config import BrokerConfig
from ..broker.amqp.connecting import BROKER_LOST
from ..broker.amqp.errors import RpcError
from ..broker.beats.beat import Beat, newest
from ..broker.beats.listener import BeatsListener
from ..broker.beats.management import ManagementError, dead_letter_counts, service_queues
from ..exceptions import NamekoError, SendingRefused
from ..tools.configuration import broker_config, management_uri
from .database import DATABASE_LOST, Database
from .identity import identity_of

_logger = logging.getLogger(__name__)
TURN_SECONDS = 0.5  # between two looks at the broker
STOP_SECONDS = 5.0  # that a stopping relay waits for the thread
WRITE_SECONDS = 5.0  # between two writes of beats
ASK_SECONDS = 60.0  # between two requests to RabbitMQ's management API
AGAIN_SECONDS = 30.0  # until the next attempt to listen
TELL_SECONDS = 600.0  # between two log lines on messages that are no beats
MOST_WAITING = 1_000  # beats
MOST_WAITING_BYTES = 16_000_000
QUIET_SECONDS = 0.5  # without a beat, after which a scheduled run stops listening
LISTEN_SECONDS = 3.0  # the longest time that a scheduled run listens


@contextlib.contextmanager
def keeping_catalogue(database: str, broker: BrokerConfig, identity: str) -> Iterator[None]:
    """Update the catalogue in a separate thread while the block runs."""
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(database, broker, identity, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(STOP_SECONDS)


def _keep(name: str, broker: BrokerConfig, identity: str, over: threading.Event) -> None:
    database = Database(name)
    catalogue = Catalogue(database, broker, identity)
    try:
        while not over.wait(TURN_SECONDS):
            catalogue.turn()
    finally:
        catalogue.close()
        database.close()


class Catalogue:
    """Listens for beats, and writes them from time to time."""

    def __init__(self, database: Database, broker: BrokerConfig, identity: str) -> None:
        self._database = database
        self._broker, self._identity = broker, identity
        self._listener: BeatsListener | None = None
        self._listen_at = 0.0
        self._write_at = 0.0
        self._tell_at = self._ask_at = 0.0
        self._management = management_uri()
        self._waiting: list[Beat] = []  # to be written

    def turn(self) -> None:
        """Consume the beats that have arrived, and write them when due; log errors."""
        try:
            self._turn()
        except Exception as error:
            unexpected = not isinstance(error, (RpcError, *BROKER_LOST, *DATABASE_LOST))
            _logger.warning("The catalogue of services waits: %s", error, exc_info=unexpected)
            self.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if self._listener is None and now >= self._listen_at:
            self._listen_at = now + AGAIN_SECONDS
            self._write_at = now + WRITE_SECONDS  # first consume the beats in the queue
            self._listener = BeatsListener(self._broker, self._identity)
        if self._listener is not None:
            self.take(self._listener)
            if now >= self._write_at:
                self._write_at = now + WRITE_SECONDS
                self.write_beats()

        if now >= self._ask_at:
            self._ask_at = now + ASK_SECONDS
            self.ask_for_queues()

    def ask_for_queues(self) -> None:
        """Write the state of all services' queues, from RabbitMQ's management API."""
        if not self._management:
            return
        try:
            queues = service_queues(self._management, self._broker.virtual_host)
            dead = dead_letter_counts(self._management, self._broker.virtual_host)
        except ManagementError as error:
            _logger.info("RabbitMQ's management API sent no usable answer: %s", error)
            return
        with self._database.jobs(read_committed=True) as jobs:
            jobs.env["nameko.service"].keep_queues(queues, dead)

    def take(self, listener: BeatsListener) -> None:
        """Take the beats that have arrived; keep the newest ones in memory."""
        listener.drain()
        listener.check()
        waiting = newest([*self._waiting, *listener.take()])
        self._waiting = within(waiting[-MOST_WAITING:], MOST_WAITING_BYTES)
        self._tell_of_others(listener)

    def write_beats(self) -> None:
        """Write the beats that were taken."""
        if self._keep(self._waiting):
            self._waiting = []

    def _tell_of_others(self, listener: BeatsListener) -> None:
        now = time.monotonic()
        if listener.unreadable and now >= self._tell_at:
            self._tell_at = now + TELL_SECONDS
            _logger.warning("%s events “beat” that are none are left out", listener.unreadable)
            listener.unreadable = 0

    def _keep(self, beats: list[Beat]) -> bool:
        """Write the beats; return whether that is done, so that they need not be written again."""
        try:
            with self._database.jobs(read_committed=True) as jobs:
                return bool(jobs.env["nameko.instance"].keep(beats))
        except DATABASE_LOST as error:
            _logger.warning("%s beats wait for the database: %s", len(beats), error)
            return False
        except Exception:
            _logger.warning("%s beats were not kept; others will come", len(beats), exc_info=True)
            return True

    def close(self) -> None:
        """Stop listening; new beats wait in the queue until they expire."""
        if self._listener is not None:
            self._listener.close()
        self._listener = None


def keep_once(database_name: str) -> None:
    """Write the beats in the queue and the state of all services' queues, once."""
    database = Database(database_name)
    try:
        with contextlib.closing(database):
            identity = identity_of(database)
            catalogue = Catalogue(database, broker_config(), identity)
            with BeatsListener(broker_config(), identity) as listener:
                _take_waiting(catalogue, listener)
            catalogue.write_beats()
            catalogue.ask_for_queues()
    except SendingRefused as refusal:
        _logger.info("The catalogue of services is not kept: %s", refusal)
    except (RpcError, NamekoError, *BROKER_LOST) as error:
        _logger.warning("The catalogue of services waits for the broker: %s", error)


def _take_waiting(catalogue: Catalogue, listener: BeatsListener) -> None:
    until = time.monotonic() + LISTEN_SECONDS
    catalogue.take(listener)
    while time.monotonic() < until and select.select([listener], [], [], QUIET_SECONDS)[0]:
        catalogue.take(listener)


def within(beats: list[Beat], most_bytes: int) -> list[Beat]:
    """Return the newest beats whose messages had at most `most_bytes` in total."""
    sizes = accumulate(beat.size for beat in reversed(beats))
    count = sum(1 for _ in takewhile(lambda size: size <= most_bytes, sizes))
    return beats[len(beats) - count :]
