"""Replies and progress of jobs: from durable queues, acknowledged when they are written."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import amqp

from .config import BrokerConfig
from .jobs_link import Link
from .jobs_reply import Delivery, Reply, read_progress, read_reply
from .wire import EXCHANGE, LOST

PREFETCH = 400  # replies taken from the broker and not written yet
DEAD_LETTERS = 10_000  # kept at most, the newest
PROGRESS_EVENTS = 1_000
PROGRESS_SECONDS = 60
LOOK_AGAIN = 60.0  # s until a service without events is looked at again


def reply_key(identity: str) -> str:
    """The routing key of the replies for one database."""
    return f"odoo-{identity}"


def reply_queue(identity: str) -> str:
    return f"rpc.reply-odoo-{identity}"


def dead_queue(identity: str) -> str:
    """Where replies go that cannot be read or name no job."""
    return f"nameko_compute.dead-{identity}"


def progress_queue(identity: str) -> str:
    return f"nameko_compute.progress-{identity}"


class Consumer(Link):
    """Takes the replies for one database; any number of these may do so at once."""

    def __init__(self, config: BrokerConfig, identity: str) -> None:
        self._identity = identity
        self._replies: deque[Delivery] = deque()
        self._progress: dict[str, float] = {}
        self._watched: dict[str, float] = {}  # service: when to try to bind again
        self.cancelled = False
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self._declare_queues(channel)
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(
            reply_queue(self._identity), callback=self._on_reply, on_cancel=self._on_cancel
        )
        channel.basic_consume(
            progress_queue(self._identity), no_ack=True, callback=self._on_progress
        )

    def _declare_queues(self, channel: Any) -> None:
        dead, replies = dead_queue(self._identity), reply_queue(self._identity)
        newest = {"x-max-length": DEAD_LETTERS, "x-overflow": "drop-head"}
        channel.queue_declare(dead, durable=True, auto_delete=False, arguments=newest)
        to_dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
        channel.queue_declare(replies, durable=True, auto_delete=False, arguments=to_dead)
        channel.queue_bind(replies, EXCHANGE, reply_key(self._identity))
        channel.queue_declare(
            progress_queue(self._identity),
            durable=True,
            auto_delete=False,
            arguments={
                "x-max-length": PROGRESS_EVENTS,
                "x-message-ttl": PROGRESS_SECONDS * 1000,
                "x-expires": 7 * 86400 * 1000,
            },
        )

    def _on_reply(self, message: Any) -> None:
        self._replies.append(delivery_of(message))

    def _on_progress(self, message: Any) -> None:
        progress = read_progress(delivery_of(message))
        if progress is not None:
            self._progress[progress[0]] = progress[1]

    def _on_cancel(self, tag: str) -> None:
        """Somebody deleted the queue: a new connection declares it again."""
        self.cancelled = True

    def take(self, most: int) -> list[tuple[Delivery, Reply]]:
        """The oldest replies that have arrived, each to be settled with `ack` or `set_aside`."""
        count = min(most, len(self._replies))
        taken = [self._replies.popleft() for _ in range(count)]
        return [(delivery, read_reply(delivery)) for delivery in taken]

    def take_progress(self) -> dict[str, float]:
        """The newest progress by job's uuid."""
        taken, self._progress = self._progress, {}
        return taken

    @property
    def waiting(self) -> int:
        """Replies that have arrived and were not taken."""
        return len(self._replies)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Have the broker forget these and all that were delivered before."""
        if deliveries:
            self.allow()
            self._channel.basic_ack(max(delivery.tag for delivery in deliveries), multiple=True)

    def set_aside(self, deliveries: Iterable[Delivery]) -> None:
        """Move replies to the queue of dead letters; before `ack` of their batch."""
        for delivery in deliveries:
            self.allow()
            self._channel.basic_reject(delivery.tag, requeue=False)

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Have replies delivered again, here or to another relay; before `ack` of their batch."""
        for delivery in deliveries:
            self.allow()
            self._channel.basic_reject(delivery.tag, requeue=True)

    def watch(self, services: Iterable[str]) -> None:
        """Take the progress events of these services; one that has dispatched none yet waits."""
        now = time.monotonic()
        for service in services:
            if self._watched.get(service, 0) <= now:
                bound = self._bind(f"{service}.events")
                self._watched[service] = math.inf if bound else now + LOOK_AGAIN

    def _bind(self, exchange: str) -> bool:
        self.allow()
        channel = self._connection.channel()
        bound = False
        with contextlib.suppress(amqp.NotFound):
            channel.queue_bind(progress_queue(self._identity), exchange, "progress")
            bound = True
        with contextlib.suppress(amqp.exceptions.ChannelError):
            channel.close()
        return bound


def delivery_of(message: Any) -> Delivery:
    """Give what is read of a message."""
    properties = message.properties
    return Delivery(
        tag=message.delivery_info["delivery_tag"],
        correlation_id=str(properties.get("correlation_id", "")),
        content_type=str(properties.get("content_type", "")),
        body=message.body,
    )


__all__ = ["LOST", "Consumer", "dead_queue", "progress_queue", "reply_key", "reply_queue"]
