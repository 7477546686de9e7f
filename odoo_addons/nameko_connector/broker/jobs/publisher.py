"""Publish the requests of jobs: persistent, mandatory, and confirmed in batches."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import amqp

from ..amqp.config import BrokerConfig
from ..amqp.connecting import BROKER_LOST
from ..amqp.encoding import context_headers, too_large
from ..amqp.errors import MessageTooLarge, NotSendable, RpcError
from ..amqp.link import PATIENCE, Link
from ..amqp.names import EXCHANGE, are_names
from ..amqp.publishing import Confirm, ConfirmingPublisher
from ..amqp.request import Request
from .cancelled import announce_cancelled
from .ids import correlation_id, idempotency_id, read_correlation_id

_logger = logging.getLogger(__name__)
BROKERS_LIMIT = re.compile(r"larger than (?:configured )?max size '?(\d+)")
OF_ONE_TOPIC = "access to topic"  # in a refusal that concerns some routing keys only
MAX_EXPIRATION = 2**32 - 1  # ms, the most that RabbitMQ accepts


def expiration(seconds: float) -> str:
    """Return the AMQP expiration of a request in ms, from 1 to MAX_EXPIRATION."""
    return str(int(max(1, min(MAX_EXPIRATION, seconds * 1000))))


@dataclass(frozen=True)
class Attempt:
    """A request of a job; `attempt` numbers the job's requests from 1 on.

    attempts_before: those from before the job was asked again; their answers do not count now.
    body: Nameko's JSON of the arguments; context: Nameko's worker context; seconds: how long the
    request may wait in a queue before it expires.
    """

    uuid: str
    attempt: int
    service: str
    method: str
    body: str
    context: Mapping[str, Any]
    seconds: float
    attempts_before: int = 0

    @property
    def names(self) -> str:
        return f"{self.service}.{self.method}"

    @property
    def size(self) -> int:
        """The size of the body, in bytes."""
        return len(self.body) if self.body.isascii() else len(self.body.encode())


@dataclass
class Sent:
    """What the broker did with a batch.

    By uuid: `unroutable` requests have no queue; `refused` ones met a full queue; `unconfirmed`
    ones have no confirm; `unsendable` ones are always refused, with the error. All others are
    stored in a queue. lost: the error that broke the connection, which must then be discarded.
    """

    unroutable: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unconfirmed: set[str] = field(default_factory=set)
    unsendable: dict[str, RpcError] = field(default_factory=dict)
    lost: Exception | None = None


class Publisher(Link):
    """Publishes requests whose replies go to the routing key `reply_to`.

    most_bytes: the largest body of a request: the configured limit, or the broker's own limit once
    a refusal has named it.
    """

    def __init__(self, config: BrokerConfig, reply_to: str) -> None:
        self._reply_to = reply_to
        self._sent = Sent()
        self._open: dict[str, Attempt] = {}  # unconfirmed ones of the batch, in order
        self.most_bytes = config.max_message_bytes
        self.learned = False  # whether most_bytes is the broker's limit
        super().__init__(config)

    def _set_up(self, channel: Any) -> None:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self._publisher = ConfirmingPublisher(channel, self._on_settled)
        self._publisher.select()
        self._probe()

    def announce_cancelled(self, uuids: Iterable[str]) -> None:
        """Publish that these jobs were cancelled; raise RequestRefused if the broker refuses it."""
        self.allow(PATIENCE)
        announce_cancelled(self._connection.channel(), uuids)

    def check(self, request: Attempt) -> None:
        """Raise MessageTooLarge or NotSendable if a request may not be sent."""
        if request.size > self.most_bytes:
            raise self.too_large(request.service, request.method, request.size)
        if not are_names(request.service, request.method):
            raise NotSendable("The names of service and method are too long.")

    def too_large(self, service: str, method: str, size: int) -> MessageTooLarge:
        """Return the error for a request whose body has `size` bytes."""
        names = Request(service, method)
        return too_large(names, size, self.most_bytes, by_broker=self.learned)

    def _probe(self) -> None:
        """Check that the broker accepts messages: in a memory or disk alarm, it does not answer.

        Requests that are published during an alarm would all be executed after it, including
        every repetition.
        """
        nowhere = str(uuid.uuid4())  # on the default exchange, so that no service receives it
        self._publisher.publish(amqp.Message(""), "", nowhere, mandatory=False)
        self._wait_for_confirms()

    def send(self, requests: Sequence[Attempt]) -> None:
        """Publish a batch; `confirmed` returns errors of the connection."""
        self._sent = Sent()
        self._open = {request.uuid: request for request in requests}
        try:
            self._send_all(requests)
        except BROKER_LOST as error:
            self._sent.lost = error

    def confirmed(self) -> Sent:
        """Wait for the confirms of the batch, and return its outcome.

        There is no limit on the total time, only PATIENCE seconds between two confirms.
        """
        try:
            if not self._sent.lost:
                self._wait_or_send_again()
        except BROKER_LOST as error:
            self._sent.lost = error
        self._sent.unconfirmed = set(self._open)
        return self._sent

    def _send_all(self, requests: Sequence[Attempt]) -> None:
        transport = self._connection.transport
        self.allow(PATIENCE)
        with transport.renewed(PATIENCE), transport.held():
            for request in requests:
                self._publisher.publish(self._message(request), EXCHANGE, request.names)

    def _wait_or_send_again(self) -> None:
        try:
            self._wait_for_confirms()
        except amqp.exceptions.ChannelError as error:
            self._open_again(error)
            left = list(self._open.values())
            limit = BROKERS_LIMIT.search(str(error))
            if limit and any(request.size > int(limit[1]) for request in left):
                self._learn_limit(int(limit[1]))
                self._send_small(left)
            else:
                self._send_one_by_one(left)

    def _open_again(self, error: amqp.exceptions.ChannelError) -> None:
        """Reopen a channel that the broker has closed because of one request.

        :raises ChannelError: the broker closed it for another reason
        """
        if not (isinstance(error, amqp.PreconditionFailed) or OF_ONE_TOPIC in str(error)):
            raise error
        _logger.warning("The broker refuses a request: %s", error)
        self.allow(PATIENCE)
        self._publisher.select()  # py-amqp has reopened the channel

    def _learn_limit(self, most: int) -> None:
        self.most_bytes, self.learned = most, True

    def _send_small(self, left: Sequence[Attempt]) -> None:
        """Send the requests that are not too large, and that the broker does not have yet.

        It handles them in order: it has those before the first one that is too large, and has
        dropped those after it.
        """
        is_behind = False
        again = []
        for request in left:
            is_large = request.size > self.most_bytes
            is_behind |= is_large
            if is_large:
                error = self.too_large(request.service, request.method, request.size)
                self._refuse(request, error)
            elif is_behind:
                again.append(request)
            else:
                del self._open[request.uuid]
        self._send_all(again)
        self._wait_for_confirms()

    def _send_one_by_one(self, left: Sequence[Attempt]) -> None:
        """Send each request alone, to find the refused one: the broker does not say which it is."""
        for request in left:
            try:
                self._send_all([request])
                self._wait_for_confirms()
            except amqp.exceptions.ChannelError as error:
                self._open_again(error)
                text = f"The message broker refuses the request for {request.names}: {error}"
                refused = NotSendable(text, service=request.service, method=request.method)
                self._refuse(request, refused)

    def _refuse(self, request: Attempt, error: RpcError) -> None:
        self._sent.unsendable[request.uuid] = error
        del self._open[request.uuid]

    def _message(self, request: Attempt) -> amqp.Message:
        headers = context_headers(request.context)
        headers["nameko.job"] = request.uuid
        headers["nameko.idempotency_id"] = idempotency_id(request.uuid, request.attempts_before)
        headers["nameko.call_id_stack"] = [f"odoo.job.{request.uuid}"]
        return amqp.Message(
            request.body,
            application_headers=headers,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            correlation_id=correlation_id(request.uuid, request.attempt),
            reply_to=self._reply_to,
            expiration=expiration(request.seconds),
            timestamp=int(time.time()),  # distinguishes a retried job from its cancelled request
        )

    def _wait_for_confirms(self) -> None:
        while self._publisher.is_waiting:
            self.allow(PATIENCE)
            self._connection.drain_events()

    def _on_settled(self, name: str, confirm: Confirm) -> None:
        known = read_correlation_id(name)
        if known is None:  # the probe
            return
        uuid, _ = known
        self._open.pop(uuid, None)
        if confirm is Confirm.RETURNED:
            self._sent.unroutable.add(uuid)
        elif confirm is Confirm.REFUSED:
            self._sent.refused.add(uuid)
