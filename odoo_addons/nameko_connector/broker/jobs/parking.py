"""The queue in which replies wait that cannot be written yet.

A reply that stays in hand takes one of the few places among those that the broker delivers, and one
that is requeued comes back at once and counts as delivered. So it is published to a queue whose
messages return to the queue of the replies after a while, and acknowledged when that is confirmed:
what breaks in between leaves it in both, which is harmless.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import amqp
from amqp import spec

from .reply import Delivery

PARKED_SECONDS = 5
Told = Callable[[Delivery], None]


def parked_queue(identity: str) -> str:
    """Where replies wait whose record is in use."""
    return f"nameko_connector.parked-{identity}"


class Parking:
    """Moves deliveries over a channel of its own; never waits for the broker."""

    def __init__(self, channel: Any, queue: str, back_to: str, parked: Told, refused: Told) -> None:
        self._channel, self._queue, self._back_to = channel, queue, back_to
        self._parked, self._refused = parked, refused
        self._tags = itertools.count(1)
        self._moving: dict[int, Delivery] = {}
        self._returned: set[int] = set()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        channel.confirm_select(nowait=True)

    def park(self, deliveries: Iterable[Delivery]) -> None:
        """Publish these; `parked` or `refused` is called with each once the broker has said so."""
        self._declare()
        for delivery in deliveries:
            tag = next(self._tags)
            self._moving[tag] = delivery
            arguments = (0, "", self._queue, True, False)  # True: mandatory
            message = _copy(delivery, tag)
            self._channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)

    def _declare(self) -> None:
        self._channel.queue_declare(
            self._queue,
            durable=True,
            auto_delete=False,
            nowait=True,
            arguments={
                "x-message-ttl": PARKED_SECONDS * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": self._back_to,
            },
        )

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for each in self._settled(tag, multiple):
            refused = each in self._returned
            self._returned.discard(each)
            (self._refused if refused else self._parked)(self._moving.pop(each))

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for each in self._settled(tag, multiple):
            self._refused(self._moving.pop(each))

    def _on_return(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        """Note that somebody deleted the queue: it is declared again before the next message."""
        self._returned.add(int(message.properties["message_id"]))

    def _settled(self, tag: int, multiple: bool) -> list[int]:
        return [each for each in self._moving if each == tag or (multiple and each < tag)]


def _copy(delivery: Delivery, tag: int) -> amqp.Message:
    return amqp.Message(
        delivery.body,
        content_type=delivery.content_type,
        correlation_id=delivery.correlation_id,
        message_id=str(tag),
        delivery_mode=2,
    )
