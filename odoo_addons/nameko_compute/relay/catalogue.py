"""The relay keeps the catalogue of services, beside its work and never in the way of it."""

from __future__ import annotations

import contextlib
import logging
import select
import time

from ..broker.beats import Beat, newest
from ..broker.beats_listener import BeatsListener
from ..broker.config import BrokerConfig
from ..broker.errors import RpcError
from ..broker.wire import LOST
from ..configuration import broker_config
from ..exceptions import NamekoError
from .database import Database
from .mover import is_lost

_logger = logging.getLogger(__name__)
WRITE_SECONDS = 5.0  # between two writes of beats
AGAIN_SECONDS = 30.0  # until the next attempt to listen
MOST_WAITING = 1_000  # beats, while another relay writes
QUIET_SECONDS = 0.5  # without a beat, after which a scheduled run has taken all
LISTEN_SECONDS = 3.0  # of a scheduled run, however many beat


class Catalogue:
    """Listens for beats, and writes them from time to time."""

    def __init__(self, database: Database, broker: BrokerConfig, identity: str) -> None:
        self._database = database
        self._broker, self._identity = broker, identity
        self._listener: BeatsListener | None = None
        self._listen_at = 0.0
        self._write_at = 0.0
        self._waiting: list[Beat] = []  # to be written
        self._told = False  # that there are messages which are no beats

    def turn(self) -> None:
        """Do what there is to do, without waiting for anything.

        Raises what means that the connection to the database is lost, and nothing else.
        """
        now = time.monotonic()
        if self._listener is None and now >= self._listen_at:
            self._listen_at = now + AGAIN_SECONDS
            self._write_at = now + WRITE_SECONDS  # those who beat are heard before they are missed
            self._listen()
        if self._listener is not None:
            self._attend(self._listener)

    def _listen(self) -> None:
        try:
            self._listener = BeatsListener(self._broker, self._identity)
        except (RpcError, *LOST) as error:
            _logger.warning("The catalogue of services is not kept: %s", error)

    def _attend(self, listener: BeatsListener) -> None:
        try:
            listener.drain()
            if time.monotonic() >= self._write_at:
                self._write_at = time.monotonic() + WRITE_SECONDS
                self.write(listener)
        except Exception as error:
            if is_lost(error):
                raise
            unexpected = not isinstance(error, LOST)
            _logger.warning("The catalogue of services waits: %s", error, exc_info=unexpected)
            self.close()

    def write(self, listener: BeatsListener) -> None:
        """Write what has arrived."""
        listener.check()
        self._waiting = newest([*self._waiting, *listener.take()])[-MOST_WAITING:]
        if listener.unreadable and not self._told:
            self._told = True
            _logger.warning("Somebody sends events “beat” that are none: they are left out")
        if self._keep(self._waiting):
            self._waiting = []

    def _keep(self, beats: list[Beat]) -> bool:
        """Tell whether they need not be written any more."""
        try:
            with self._database.jobs(read_committed=True) as jobs:
                return bool(jobs.env["nameko.instance"].keep(beats))
        except Exception as error:
            if is_lost(error):
                raise
            _logger.warning("%s beats were not kept; others will come", len(beats), exc_info=True)
            return True

    def close(self) -> None:
        """Stop listening; beats wait in the broker for a while."""
        if self._listener is not None:
            self._listener.close()
        self._listener = None


def keep_once(database_name: str) -> None:
    """Write the beats that wait in the broker, and who is missed."""
    database = Database(database_name)
    try:
        with contextlib.closing(database):
            with database.jobs() as jobs:
                identity = jobs.database_identity()
            catalogue = Catalogue(database, broker_config(), identity)
            with BeatsListener(broker_config(), identity) as listener:
                _take_waiting(listener)
                catalogue.write(listener)
    except (RpcError, NamekoError, *LOST) as error:
        _logger.warning("The catalogue of services waits for the broker: %s", error)


def _take_waiting(listener: BeatsListener) -> None:
    until = time.monotonic() + LISTEN_SECONDS
    listener.drain()
    while time.monotonic() < until and select.select([listener], [], [], QUIET_SECONDS)[0]:
        listener.drain()
