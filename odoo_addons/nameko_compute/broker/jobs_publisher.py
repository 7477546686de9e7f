"""Requests of jobs: persistent, mandatory, confirmed batch by batch."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import amqp
from amqp import spec

from .config import BrokerConfig
from .jobs_link import PATIENCE, Link
from .wire import EXCHANGE

MAX_EXPIRATION = 2**32 - 1  # ms, what RabbitMQ takes


@dataclass(frozen=True)
class JobRequest:
    """The request of one job.

    body: Nameko's JSON of the arguments; context: Nameko's worker context; seconds: how long it may
    wait in a queue, before the broker drops it.
    """

    uuid: str
    service: str
    method: str
    body: str
    context: Mapping[str, Any]
    seconds: float


@dataclass
class Sent:
    """What the broker did with a batch: uuids by fate; all others are safe in a queue."""

    unroutable: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class Publisher(Link):
    """Publishes requests whose replies go to the routing key `reply_to`."""

    def __init__(self, config: BrokerConfig, reply_to: str) -> None:
        self._reply_to = reply_to
        self._tags = itertools.count(1)
        self._unconfirmed: dict[int, str] = {}
        self._sent = Sent()
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        channel.events["basic_return"].add(self._on_return)
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.confirm_select()
        self._probe(channel)

    def _probe(self, channel: Any) -> None:
        """See that the broker takes messages at all: short of memory or disk, it says nothing.

        What is published to it then would still be executed when it has recovered, however often
        it was repeated meanwhile.
        """
        nowhere = str(uuid.uuid4())  # on the default exchange: no service could ever get it
        arguments = (0, "", nowhere, False, False)
        channel.send_method(spec.Basic.Publish, "Bssbb", arguments, amqp.Message(""))
        self._unconfirmed[next(self._tags)] = ""
        self._wait_for_confirms()

    def send(self, requests: Sequence[JobRequest]) -> None:
        """Send a batch, whose fate `confirmed` tells."""
        self.allow(PATIENCE)
        self._sent = Sent()
        with self._connection.transport.held():
            for request in requests:
                key = f"{request.service}.{request.method}"
                self._send(key, self._message(request))

    def confirmed(self) -> Sent:
        """Wait until the broker has taken responsibility for all of the batch."""
        self._wait_for_confirms()
        return self._sent

    def _message(self, request: JobRequest) -> amqp.Message:
        headers = {f"nameko.{k}": v for k, v in request.context.items() if v is not None}
        headers["nameko.job"] = request.uuid
        headers["nameko.call_id_stack"] = [f"odoo.job.{request.uuid}"]
        return amqp.Message(
            request.body,
            application_headers=headers,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            correlation_id=request.uuid,
            reply_to=self._reply_to,
            expiration=str(min(MAX_EXPIRATION, max(1, int(request.seconds * 1000)))),
        )

    def _send(self, key: str, message: amqp.Message) -> None:
        arguments = (0, EXCHANGE, key, True, False)  # True: mandatory
        self._channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)
        self._unconfirmed[next(self._tags)] = message.properties["correlation_id"]

    def _wait_for_confirms(self) -> None:
        while self._unconfirmed:
            self._connection.drain_events()

    def _on_return(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        self._sent.unroutable.add(message.properties.get("correlation_id", ""))

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._sent.refused.update(self._settle(tag, multiple))

    def _settle(self, tag: int, multiple: bool) -> list[str]:
        if not multiple:
            return [self._unconfirmed.pop(tag)] if tag in self._unconfirmed else []
        # Tags grow, and a dict keeps the order in which they came.
        tags = list(itertools.takewhile(lambda each: each <= tag, self._unconfirmed))
        return [self._unconfirmed.pop(each) for each in tags]
