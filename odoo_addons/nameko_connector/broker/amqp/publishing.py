"""Publishing on one channel, with RabbitMQ's publisher confirms and returns.

See https://www.rabbitmq.com/docs/confirms#publisher-confirms.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable
from typing import Any

import amqp
from amqp import spec


class Confirm(enum.Enum):
    """What the broker has done with a message."""

    TAKEN = "every queue that it was routed to has it; unless it is mandatory, there may be none"
    RETURNED = "it was mandatory, and no queue takes it"
    REFUSED = "a queue did not take it, for example because it is full"


Settled = Callable[[str, Confirm], object]


def publish(
    channel: Any, message: amqp.Message, exchange: str, key: str, *, mandatory: bool = False
) -> None:
    """Write a message to the connection.

    py-amqp's own `basic_publish` first handles whatever else has arrived, and turns a deadline
    that passes into a lost connection.
    """
    arguments = (0, exchange, key, mandatory, False)
    channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)


class ConfirmingPublisher:
    """Publishes on a channel, and calls `settled` once for each message: its name, what came of it.

    A message's name is its correlation id or, where it has one, its message id.
    """

    def __init__(self, channel: Any, settled: Settled = lambda name, confirm: None) -> None:
        self._channel = channel
        self._settled = settled
        self._returned: set[str] = set()
        channel.events["basic_return"].add(self._on_return)
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        self._forget()

    def _forget(self) -> None:
        self._tags = itertools.count(1)  # the broker counts what is published on a channel
        self._unsettled: dict[int, str] = {}  # names by tag
        self._returned.clear()

    def select(self, *, nowait: bool = False) -> None:
        """Have the broker confirm what is published from now on; also on a channel opened again."""
        self._forget()
        self._channel.confirm_select(nowait=nowait)

    def publish(
        self, message: amqp.Message, exchange: str, key: str, *, mandatory: bool = True
    ) -> None:
        """Write a message to the connection; waits for nothing."""
        self._unsettled[next(self._tags)] = _name(message)
        publish(self._channel, message, exchange, key, mandatory=mandatory)

    @property
    def is_waiting(self) -> bool:
        """Whether the broker has not yet said what it did with all messages."""
        return bool(self._unsettled)

    def _on_return(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        self._returned.add(_name(message))  # its ack follows

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for name in self._take(tag, multiple):
            is_returned = name in self._returned
            self._returned.discard(name)
            self._settled(name, Confirm.RETURNED if is_returned else Confirm.TAKEN)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for name in self._take(tag, multiple):
            self._settled(name, Confirm.REFUSED)

    def _take(self, tag: int, multiple: bool) -> list[str]:
        # Tags grow, and a dict keeps the order in which they came.
        older = itertools.takewhile(lambda each: each <= tag, self._unsettled)
        tags = list(older) if multiple else [tag]
        return [self._unsettled.pop(each) for each in tags if each in self._unsettled]


def _name(message: Any) -> str:
    properties = message.properties
    return str(properties.get("message_id") or properties.get("correlation_id", ""))
