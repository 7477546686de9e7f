"""Do a relay's work in a scheduled action of Odoo, for a limited time."""

from __future__ import annotations

import contextlib
import logging
import select
import time
from dataclasses import dataclass
from typing import Any

from ..broker.amqp.connecting import BROKER_LOST
from ..broker.amqp.errors import RpcError
from ..broker.jobs.consumer import Consumer, reply_key
from ..broker.jobs.publisher import Publisher
from ..exceptions import SendingRefused
from ..models.monitoring.nameko_live import collecting
from ..tools.configuration import broker_config
from .clock import Clock
from .database import Database, Listener
from .identity import identity_of
from .lateness import Lateness
from .moving.cancelled import Cancelled
from .moving.mover import Mover
from .replies import Replies
from .writing.threads import TooManyStuck, Writers

_logger = logging.getLogger(__name__)
MAX_SENT = 1000
STOP_SECONDS = 2.0  # to wait for callbacks that still run
QUIET_SECONDS = 2.0  # without a reply, after which the run ends


def move_for(database_name: str, seconds: float) -> int:
    """Send ready jobs and write replies, until nothing more comes or the seconds have passed.

    :return: how many replies and lost jobs were settled
    """
    until = time.monotonic() + seconds
    database = Database(database_name)
    with contextlib.closing(database):
        try:
            return _move(database, identity_of(database), until)
        except SendingRefused as refusal:
            _logger.info("Jobs wait: %s", refusal)
            return 0


def _move(database: Database, identity: str, until: float) -> int:
    settled = 0
    writers = Writers(database.name, limit_seconds=until - time.monotonic())
    try:
        with (
            Consumer(broker_config(), identity) as consumer,
            Publisher(broker_config(), reply_key(identity)) as publisher,
            contextlib.closing(Listener(database.name, is_relay=False)) as listener,
            collecting(database.name),
        ):
            replies = Replies(consumer, writers)
            lateness = Lateness(database, consumer, replies, own=0)
            run = Run(
                listener,
                publisher,
                consumer,
                Mover(database, publisher, consumer, replies, MAX_SENT),
                replies,
                Clock(database, consumer, replies, lateness, Cancelled(database, publisher)),
            )
            settled = run.until(until, writers)
    except (RpcError, TooManyStuck, *BROKER_LOST) as error:
        _logger.warning("Jobs wait for the broker: %s", error)
    finally:
        writers.stop(STOP_SECONDS)
    return settled


@dataclass
class Run:
    """One run of the scheduled action."""

    listener: Listener
    publisher: Publisher
    consumer: Consumer
    mover: Mover
    replies: Replies
    clock: Clock

    def until(self, until: float, writers: Writers) -> int:
        """Work until QUIET_SECONDS pass without a reply, or until this monotonic time.

        :return: how many replies and lost jobs were settled
        """
        count = 0
        quiet_at = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < min(until, quiet_at):
            self.clock.waiting.hear(self.listener.heard())
            self.publisher.drain()
            self.consumer.drain()
            count += (settled := self.replies.turn())
            self.clock.turn()
            self.clock.tell()
            writers.watch()
            more = self.mover.dispatch() if not self.publisher.blocked else False
            if settled or more or self.replies.uuids():
                quiet_at = time.monotonic() + QUIET_SECONDS
            if not (settled or more):
                sources: list[Any] = [self.listener, self.publisher, self.consumer, writers]
                select.select(sources, [], [], 0.1)
        self.clock.statistics.finish()
        self.clock.live.finish()
        return count
