"""Replies and progress of jobs: from durable queues, acknowledged when they are written."""

from __future__ import annotations

import contextlib
import heapq
import logging
import math
import time
from collections import deque
from collections.abc import Collection, Iterable
from typing import Any

import amqp

from ..amqp.config import BrokerConfig
from ..amqp.connecting import BROKER_LOST
from ..amqp.link import UNUSED_SECONDS, Link
from ..amqp.names import EXCHANGE, is_service
from .ids import read_correlation_id
from .moving import OF_DEAD_LETTERS, Moving, QueueToMoveTo, moved_at
from .reply import ArrivedReply, Delivery, read_progress, reply_of
from .unsettled import Unsettled

_logger = logging.getLogger(__name__)
PREFETCH = 400  # replies taken from the broker and not written yet
MOST_BYTES = 64_000_000  # of them; one more message may be under way
BYTES_AT_ONCE = 4_000_000  # given to be written together: as values they take much more room
PROGRESS_EVENTS = 1_000
PROGRESS_SECONDS = 60
PARKED_SECONDS = 5
PARKED_IN_HAND = 200  # of those that are parked, at most
MOST_PROGRESS_BYTES = 1_000  # of an event
LOOK_AGAIN = 60.0  # s until a service without events is looked at again


def reply_key(identity: str) -> str:
    """The routing key of the replies for one database."""
    return f"odoo-{identity}"


def reply_queue(identity: str) -> str:
    return f"rpc.reply-odoo-{identity}"


def dead_queue(identity: str) -> str:
    """Where replies go that cannot be read or name no job."""
    return f"nameko_connector.dead-{identity}"


def parked_queue(identity: str) -> str:
    """Where replies wait whose record is in use."""
    return f"nameko_connector.parked-{identity}"


def progress_queue(identity: str) -> str:
    return f"nameko_connector.progress-{identity}"


class Consumer(Link):
    """Takes the replies for one database; any number of these may do so at once."""

    def __init__(self, config: BrokerConfig, identity: str) -> None:
        self._identity = identity
        self._replies: deque[Delivery] = deque()
        self._kept: list[tuple[float, int, Delivery]] = []  # a heap: when they may be taken again
        self._unsettled = Unsettled()
        self._moving: Moving | None = None
        self._dead = QueueToMoveTo(dead_queue(identity), OF_DEAD_LETTERS)
        self._parked = QueueToMoveTo(parked_queue(identity), {})
        self._progress: dict[str, float] = {}
        self._progress_tag = 0  # of the newest event that was not acknowledged
        self._watched: dict[str, float] = {}  # service: when to try to bind again
        self.cancelled = False
        self.received = 0  # replies, since it connected
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self._declare_queues(channel)
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(
            reply_queue(self._identity), callback=self._on_reply, on_cancel=self._on_cancel
        )
        channel.basic_qos(0, PARKED_IN_HAND, False)  # of the next consumer
        channel.basic_consume(
            self._parked.name, callback=self._on_parked, on_cancel=self._on_cancel
        )
        self._progress_channel = self._connection.channel()
        self._consume_progress(self._progress_channel)

    def _consume_progress(self, channel: Any) -> None:
        """Consume with acknowledgements, as every type of queue allows; do without what cannot be.

        To consume a stream without them closes the connection.
        """
        try:
            channel.basic_qos(0, PROGRESS_EVENTS, False)
            channel.basic_consume(
                progress_queue(self._identity),
                callback=self._on_progress,
                on_cancel=self._on_cancel,
            )
        except amqp.ChannelError as error:
            _logger.warning("The progress of jobs is not shown: %s", error.reply_text)

    def _declare_queues(self, channel: Any) -> None:
        """Declare the queues; without another choice of an administrator's, they are classic.

        A delivery limit is not needed: what cannot be read is settled, whatever it is (`frames`),
        and a reply that ends processes is counted in its job's row.
        """
        self._declare_queue(reply_queue(self._identity), {})
        channel.queue_bind(reply_queue(self._identity), EXCHANGE, reply_key(self._identity))
        self._declare_queue(self._dead.name, self._dead.arguments)
        self._declare_queue(self._parked.name, self._parked.arguments)
        self._declare_queue(
            progress_queue(self._identity),
            {
                "x-max-length": PROGRESS_EVENTS,
                "x-message-ttl": PROGRESS_SECONDS * 1000,
                "x-expires": UNUSED_SECONDS * 1000,
            },
        )

    def _on_reply(self, message: Any) -> None:
        self.received += 1
        delivery = delivery_of(message)
        self._unsettled.add(delivery)
        self._replies.append(delivery)

    def _on_parked(self, message: Any) -> None:
        """Keep a reply in hand until it may be taken, which one that has waited long may at once.

        The broker could give them back in time, by dead-lettering: `moving` says why it must not.
        """
        delivery = delivery_of(message)
        self._unsettled.add(delivery)
        left = moved_at(message) + PARKED_SECONDS - time.time()
        self._keep_for(delivery, left if left <= PARKED_SECONDS else 0)  # none of ours is newer

    def _is_full(self) -> bool:
        return self._unsettled.bytes > MOST_BYTES

    def _on_progress(self, message: Any) -> None:
        self._progress_tag = message.delivery_info["delivery_tag"]
        if message.body_size > MOST_PROGRESS_BYTES:
            return
        progress = read_progress(delivery_of(message))
        if progress is not None:
            self._progress[progress[0]] = progress[1]

    def _on_cancel(self, tag: str) -> None:
        """Somebody deleted the queue: a new connection declares it again."""
        self.cancelled = True

    def take(self, most: int) -> list[tuple[Delivery, ArrivedReply]]:
        """Return the oldest replies that have arrived; those that can name no job are dead letters.

        Each is settled later, in any order, by one of `ack`, `dead_letter` and `park`. One that
        was settled already is left alone.
        """
        taken: list[tuple[Delivery, ArrivedReply]] = []
        strange: list[Delivery] = []
        room = BYTES_AT_ONCE
        self._take_kept()
        while self._replies and len(taken) < most and room > 0:
            delivery = self._replies.popleft()
            room -= delivery.size
            reply = reply_of(delivery)
            strange.append(delivery) if reply is None else taken.append((delivery, reply))
        self.dead_letter(strange)
        return taken

    def take_progress(self) -> dict[str, float]:
        """Return the newest progress by job's uuid."""
        taken, self._progress = self._progress, {}
        if self._progress_tag:
            self.allow()
            self._progress_channel.basic_ack(self._progress_tag, multiple=True)
            self._progress_tag = 0
        return taken

    @property
    def is_full(self) -> bool:
        """Whether no more is read before some of what has arrived is settled."""
        return self._is_full()

    @property
    def waiting(self) -> int:
        """Replies that may be taken now; those that were kept in hand count as one."""
        return len(self._replies) + bool(self._kept and self._kept[0][0] <= time.monotonic())

    def waiting_uuids(self) -> set[str]:
        """Return the jobs of the replies that have arrived and were not taken."""
        deliveries = [*self._replies, *(delivery for *_, delivery in self._kept)]
        known = (read_correlation_id(delivery.correlation_id) for delivery in deliveries)
        return {each[0] for each in known if each}

    def look(self) -> tuple[int, int]:
        """Ask how many replies wait in the broker, and how many consumers take them."""
        self.allow()
        queue = self._channel.queue_declare(reply_queue(self._identity), passive=True)
        return queue.message_count, queue.consumer_count

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """Have the broker forget these."""
        acks = self._unsettled.acks(self._unsettled.open(deliveries))
        self.allow()
        with self._connection.transport.held():
            for tag, multiple in acks:
                self._channel.basic_ack(tag, multiple=multiple)

    def dead_letter(self, deliveries: Iterable[Delivery]) -> None:
        """Move replies to the queue of dead letters; of one that is too large, without its body."""
        waiting = self._unsettled.open(deliveries)
        if waiting:
            self._move(waiting.values(), self._dead)

    def park(self, deliveries: Iterable[Delivery]) -> None:
        """Have replies come back after PARKED_SECONDS, meanwhile in a queue of their own."""
        waiting = self._unsettled.open(deliveries)
        movable = [each for each in waiting.values() if each.body is not None]
        for delivery in waiting.values():
            if delivery.body is None:  # too large to be read, and so to be published
                self._unsettled.leave([delivery.tag])
                self._keep(delivery)
        if movable:
            self._move(movable, self._parked)

    def _move(self, deliveries: Collection[Delivery], to: QueueToMoveTo) -> None:
        self._unsettled.leave(each.tag for each in deliveries)
        self.allow()
        if self._moving is None:
            self._moving = Moving(
                self._connection.channel(), self._declare_queue, self._on_moved, refused=self._keep
            )
        self._moving.move(deliveries, to)

    def _on_moved(self, delivery: Delivery) -> None:
        for tag, multiple in self._unsettled.acks([delivery.tag]):
            self._channel.basic_ack(tag, multiple=multiple)

    def _keep(self, delivery: Delivery) -> None:
        """Have a reply taken again later that could not be moved."""
        self._unsettled.stay(delivery)
        self._keep_for(delivery, PARKED_SECONDS)

    def _keep_for(self, delivery: Delivery, seconds: float) -> None:
        when = time.monotonic() + min(max(0.0, seconds), PARKED_SECONDS)
        heapq.heappush(self._kept, (when, delivery.tag, delivery))

    def _take_kept(self) -> None:
        while self._kept and self._kept[0][0] <= time.monotonic():
            self._replies.append(heapq.heappop(self._kept)[-1])

    def watch(self, services: Iterable[str]) -> None:
        """Take the progress events of these services; one that has dispatched none yet waits."""
        now = time.monotonic()
        for service in services:
            if self._watched.get(service, 0) <= now and is_service(service):
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
    """Return what is read of a message."""
    properties = message.properties
    return Delivery(
        tag=message.delivery_info["delivery_tag"],
        correlation_id=str(properties.get("correlation_id", "")),
        content_type=str(properties.get("content_type", "")),
        body=message.body,
        redelivered=bool(message.delivery_info["redelivered"]),
        size=message.body_size,
    )


__all__ = [
    "BROKER_LOST",
    "PARKED_SECONDS",
    "Consumer",
    "dead_queue",
    "parked_queue",
    "progress_queue",
    "reply_key",
    "reply_queue",
]
