"""Consume the replies and progress events of jobs; replies are acknowledged once written."""

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
PREFETCH = 400  # replies delivered and not acknowledged yet
MOST_BYTES = 64_000_000  # of their bodies; one more message may exceed it
BYTES_AT_ONCE = 4_000_000  # per `take`; decoded, they need much more memory
PROGRESS_EVENTS = 1_000
PROGRESS_SECONDS = 60
PARKED_SECONDS = 5
PARKED_IN_HAND = 200  # the prefetch count of the queue of parked replies
MOST_PROGRESS_BYTES = 1_000  # of an event
LOOK_AGAIN = 60.0  # s until another attempt to bind to a service without an exchange


def reply_key(identity: str) -> str:
    """Return the routing key of the replies for one database."""
    return f"odoo-{identity}"


def reply_queue(identity: str) -> str:
    return f"rpc.reply-odoo-{identity}"


def dead_queue(identity: str) -> str:
    """Return the queue of dead letters: replies that belong to no job."""
    return f"nameko_connector.dead-{identity}"


def parked_queue(identity: str) -> str:
    """Return the queue in which replies wait while their record is locked."""
    return f"nameko_connector.parked-{identity}"


def progress_queue(identity: str) -> str:
    return f"nameko_connector.progress-{identity}"


class Consumer(Link):
    """Consumes the replies for one database. A database can have several consumers."""

    def __init__(self, config: BrokerConfig, identity: str) -> None:
        self._identity = identity
        self._replies: deque[Delivery] = deque()
        self._kept: list[tuple[float, int, Delivery]] = []  # a heap by when to take them again
        self._unsettled = Unsettled()
        self._moving: Moving | None = None
        self._dead = QueueToMoveTo(dead_queue(identity), OF_DEAD_LETTERS)
        self._parked = QueueToMoveTo(parked_queue(identity), {})
        self._progress: dict[str, float] = {}
        self._progress_tag = 0  # of the newest unacknowledged event
        self._watched: dict[str, float] = {}  # service: when to try to bind again
        self.cancelled = False
        self.received = 0  # replies since the connection was opened
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self._declare_queues(channel)
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(
            reply_queue(self._identity), callback=self._on_reply, on_cancel=self._on_cancel
        )
        channel.basic_qos(0, PARKED_IN_HAND, False)  # for the next consumer
        channel.basic_consume(
            self._parked.name, callback=self._on_parked, on_cancel=self._on_cancel
        )
        self._progress_channel = self._connection.channel()
        self._consume_progress(self._progress_channel)

    def _consume_progress(self, channel: Any) -> None:
        """Consume progress with acknowledgements; go on without progress if the broker refuses.

        Every type of queue allows acknowledgements; a stream closes the connection without them.
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
        """Declare the queues; they are classic queues, unless an administrator configures others.

        They need no delivery limit: any message can be read and settled (`frames`), and the job's
        row counts how often a reply is written, in case that crashes the process.
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
        """Hold a parked reply, unacknowledged, until PARKED_SECONDS after it was moved.

        The broker could delay replies by dead-lettering; `moving` explains why that is not used.
        """
        delivery = delivery_of(message)
        self._unsettled.add(delivery)
        left = moved_at(message) + PARKED_SECONDS - time.time()
        self._keep_for(delivery, left if left <= PARKED_SECONDS else 0)  # later: not our timestamp

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
        """Note that the queue was deleted; a new connection declares it again."""
        self.cancelled = True

    def take(self, most: int) -> list[tuple[Delivery, ArrivedReply]]:
        """Return the oldest replies that have arrived; dead-letter those without a job's id.

        Settle each reply later, in any order, with `ack`, `dead_letter` or `park`. These ignore
        replies that are already settled.
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
        """Acknowledge the progress events; return the newest progress, from 0 to 1, by job uuid."""
        taken, self._progress = self._progress, {}
        if self._progress_tag:
            self.allow()
            self._progress_channel.basic_ack(self._progress_tag, multiple=True)
            self._progress_tag = 0
        return taken

    @property
    def is_full(self) -> bool:
        """Whether nothing more is read until some deliveries are settled."""
        return self._is_full()

    @property
    def waiting(self) -> int:
        """The number of replies that may be taken now; held replies that are due count as one."""
        return len(self._replies) + bool(self._kept and self._kept[0][0] <= time.monotonic())

    def waiting_uuids(self) -> set[str]:
        """Return the uuids of jobs whose replies have arrived but were not taken."""
        deliveries = [*self._replies, *(delivery for *_, delivery in self._kept)]
        known = (read_correlation_id(delivery.correlation_id) for delivery in deliveries)
        return {each[0] for each in known if each}

    def look(self) -> tuple[int, int]:
        """Return the number of ready messages and of consumers of the reply queue."""
        self.allow()
        queue = self._channel.queue_declare(reply_queue(self._identity), passive=True)
        return queue.message_count, queue.consumer_count

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """Acknowledge these deliveries."""
        acks = self._unsettled.acks(self._unsettled.open(deliveries))
        self.allow()
        with self._connection.transport.held():
            for tag, multiple in acks:
                self._channel.basic_ack(tag, multiple=multiple)

    def dead_letter(self, deliveries: Iterable[Delivery]) -> None:
        """Move replies to the queue of dead letters; a reply that is too large loses its body."""
        waiting = self._unsettled.open(deliveries)
        if waiting:
            self._move(waiting.values(), self._dead)

    def park(self, deliveries: Iterable[Delivery]) -> None:
        """Move replies to the queue of parked replies, which returns them after PARKED_SECONDS."""
        waiting = self._unsettled.open(deliveries)
        movable = [each for each in waiting.values() if each.body is not None]
        for delivery in waiting.values():
            if delivery.body is None:  # it was dropped, so it cannot be published
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
        """Hold a reply that could not be moved, so that it is taken again later."""
        self._unsettled.stay(delivery)
        self._keep_for(delivery, PARKED_SECONDS)

    def _keep_for(self, delivery: Delivery, seconds: float) -> None:
        when = time.monotonic() + min(max(0.0, seconds), PARKED_SECONDS)
        heapq.heappush(self._kept, (when, delivery.tag, delivery))

    def _take_kept(self) -> None:
        while self._kept and self._kept[0][0] <= time.monotonic():
            self._replies.append(heapq.heappop(self._kept)[-1])

    def watch(self, services: Iterable[str]) -> None:
        """Bind to the progress events of these services; retry later if one has no exchange yet."""
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
    """Return the parts of a message that the relay needs."""
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
