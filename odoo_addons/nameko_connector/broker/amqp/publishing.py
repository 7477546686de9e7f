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
    """The broker's answer to a published message."""

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
    """Publishes on a channel; calls `settled` once per message, with its name and its `Confirm`.

    A message's name is its message id or, if it has none, its correlation id.
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
        self._tags = itertools.count(1)  # the broker numbers the messages of a channel
        self._unsettled: dict[int, str] = {}  # names by tag
        self._returned.clear()

    def select(self, *, nowait: bool = False) -> None:
        """Turn publisher confirms on; call this again on a channel that was reopened."""
        self._forget()
        self._channel.confirm_select(nowait=nowait)

    def publish(
        self, message: amqp.Message, exchange: str, key: str, *, mandatory: bool = True
    ) -> None:
        """Write a message to the connection, without waiting for its confirm."""
        self._unsettled[next(self._tags)] = _name(message)
        publish(self._channel, message, exchange, key, mandatory=mandatory)

    @property
    def is_waiting(self) -> bool:
        """Whether the broker has not confirmed all messages yet."""
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
        # Tags increase, and a dict keeps the order of insertion.
        older = itertools.takewhile(lambda each: each <= tag, self._unsettled)
        tags = list(older) if multiple else [tag]
        return [self._unsettled.pop(each) for each in tags if each in self._unsettled]


def _name(message: Any) -> str:
    properties = message.properties
    return str(properties.get("message_id") or properties.get("correlation_id", ""))
