"""Move replies to another queue: parked until they can be written, or as dead letters.

An unacknowledged reply uses up the prefetch limit, and a requeued one is redelivered at once. So
the reply is published to the other queue, and acknowledged when that is confirmed. If this is
interrupted, the reply is in both queues, which is harmless.

Dead-lettering by the broker is not used, because the broker parses the headers for it: an invalid
`x-death` header crashes the queue in RabbitMQ 3.10, and all its messages are lost. A copy has no
headers from the original message.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import amqp

from ..amqp.names import short
from ..amqp.publishing import Confirm, ConfirmingPublisher
from .reply import Delivery

OF_DEAD_LETTERS = {  # arguments of these queues, which keep the newest messages
    "x-max-length": 10_000,
    "x-max-length-bytes": 1_000_000_000,
    "x-overflow": "drop-head",
}
SIZE_HEADER = "x-nameko-dropped-bytes"  # of a dead letter whose body was too large
OnSettled = Callable[[Delivery], None]


@dataclass(frozen=True)
class QueueToMoveTo:
    """A durable queue, which is declared before the first message for it."""

    name: str
    arguments: dict[str, Any]


class Moving:
    """Moves deliveries over a separate channel; waits for the broker only to declare a queue.

    `moved` or `refused` is called with each delivery once the broker has confirmed or refused it.
    """

    def __init__(
        self,
        channel: Any,
        declare: Callable[[str, dict[str, Any]], None],
        moved: OnSettled,
        refused: OnSettled,
    ) -> None:
        self._declare, self._moved, self._refused = declare, moved, refused
        self._declared: set[str] = set()
        self._moving: dict[str, tuple[Delivery, str]] = {}  # by the message id of the copy
        self._ids = itertools.count(1)
        self._publisher = ConfirmingPublisher(channel, self._on_settled)
        self._publisher.select(nowait=True)

    def move(self, deliveries: Iterable[Delivery], to: QueueToMoveTo) -> None:
        """Publish copies of these."""
        if to.name not in self._declared:
            self._declare(to.name, to.arguments)
            self._declared.add(to.name)
        for delivery in deliveries:
            name = str(next(self._ids))
            self._moving[name] = delivery, to.name
            self._publisher.publish(_copy(delivery, name), "", to.name)

    def _on_settled(self, name: str, confirm: Confirm) -> None:
        delivery, queue = self._moving.pop(name)
        if confirm is Confirm.RETURNED:  # somebody has deleted the queue
            self._declared.discard(queue)
        (self._moved if confirm is Confirm.TAKEN else self._refused)(delivery)


def _copy(delivery: Delivery, name: str) -> amqp.Message:
    dropped = {SIZE_HEADER: delivery.size} if delivery.body is None else {}
    return amqp.Message(
        delivery.body or b"",
        content_type=short(delivery.content_type),
        correlation_id=short(delivery.correlation_id),
        application_headers=dropped,
        message_id=name,
        timestamp=int(time.time()),
        delivery_mode=2,
    )


def moved_at(message: Any) -> float:
    """Return when a message was moved, in seconds since the epoch; 0 if it has no timestamp."""
    timestamp = message.properties.get("timestamp")
    return float(timestamp) if isinstance(timestamp, int) else 0.0
