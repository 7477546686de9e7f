"""The relay's work inside an Odoo process, for a bounded time."""

from __future__ import annotations

import contextlib
import logging
import select
import time

from ..broker.errors import RpcError
from ..broker.jobs_consumer import Consumer, reply_key
from ..broker.jobs_publisher import Publisher
from ..broker.wire import LOST
from ..configuration import broker_config
from .database import Database
from .mover import Mover

_logger = logging.getLogger(__name__)
MAX_SENT = 1000
QUIET_SECONDS = 2.0  # without a reply, after which the rest is left to the next run


def move_for(database_name: str, seconds: float) -> None:
    """Send what is ready and write what is answered, until nothing more comes or time is up."""
    database = Database(database_name)
    with database.jobs() as jobs:
        identity = jobs.database_identity()
    try:
        with (
            contextlib.closing(database),
            Consumer(broker_config(), identity) as consumer,
            Publisher(broker_config(), reply_key(identity)) as publisher,
        ):
            mover = Mover(database, publisher, consumer, MAX_SENT)
            _move(mover, publisher, consumer, time.monotonic() + seconds)
    except (RpcError, *LOST) as error:
        _logger.warning("Jobs wait for the broker: %s", error)


def _move(mover: Mover, publisher: Publisher, consumer: Consumer, until: float) -> None:
    quiet_at = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < min(until, quiet_at):
        publisher.drain()
        consumer.drain()
        mover.note_progress()
        mover.expire()
        mover.wake(waiting=True)
        collected = mover.collect()
        more = mover.dispatch() if not publisher.blocked else False
        if collected or more:
            quiet_at = time.monotonic() + QUIET_SECONDS
        elif not consumer.waiting:
            select.select([publisher, consumer], [], [], 0.1)
