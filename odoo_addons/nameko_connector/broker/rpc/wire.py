"""Nameko's RPC on one AMQP connection: requests and replies over the same channel.

Nameko's own proxy publishes through a second, process-wide connection and waits for the confirm
of a request before it waits for the reply. This module waits for both at the same time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import amqp

from ..amqp.config import BrokerConfig
from ..amqp.connecting import BROKER_LOST, explained
from ..amqp.deadline import Deadline
from ..amqp.encoding import Encoded
from ..amqp.names import EXCHANGE
from ..amqp.publishing import Confirm, ConfirmingPublisher
from ..amqp.transport import DeadlineConnection

# s; an idle connection sends no heartbeats, so that the broker closes it if it was forgotten
HEARTBEAT = 60.0
REFUSED = (amqp.AccessRefused, amqp.PreconditionFailed)  # the broker closes the channel


def connect(config: BrokerConfig, deadline: Deadline) -> Wire:
    """Open a connection that is ready for calls; raise BrokerUnreachable or AccessRefused."""
    with explained(config):
        return Wire(config, deadline)


@dataclass
class Pending:
    """A request that waits for its confirm and reply."""

    correlation_id: str
    expire: float  # s in the broker
    confirmed_at: float | None = None  # time.monotonic
    returned: bool = False
    refused: bool = False
    reply: Any = None
    notify: Callable[[], None] | None = None  # called once when it is settled

    def settle(self, **how: Any) -> None:
        """Set `reply`, `returned` or `refused`."""
        for name, value in how.items():
            setattr(self, name, value)
        if self.notify is not None:
            self.notify()

    @property
    def call_id(self) -> str:
        return f"odoo.call.{self.correlation_id}"

    @property
    def settled(self) -> bool:
        return self.reply is not None or self.returned or self.refused

    @property
    def confirmed(self) -> bool:
        return self.confirmed_at is not None

    def expired(self, at: float) -> bool:
        """Return whether it had expired at this time, unless an instance had consumed it."""
        return self.confirmed_at is not None and at > self.confirmed_at + self.expire


class QueueState(NamedTuple):
    """The number of ready messages and of consumers of a service's queue; 0 without a queue."""

    messages: int
    consumers: int


class Wire:
    """One connection with an exclusive reply queue, for one caller at a time.

    Methods raise TimeoutError at the deadline, and OSError or AMQPError if the connection is lost.
    Discard the connection after any of these.
    """

    def __init__(self, config: BrokerConfig, deadline: Deadline) -> None:
        self.reply_to = str(uuid.uuid4())
        self.used_at = time.monotonic()
        self.blocked = False
        self.spoiled = False  # set if an operation was interrupted
        self._pending: dict[str, Pending] = {}
        self._connection = DeadlineConnection(config, deadline, HEARTBEAT)
        try:
            self._connection.on_blocked = self._on_blocked
            self._connection.on_unblocked = self._on_unblocked
            self._connection.connect()
            self._channel = self._open_channel()
        except BaseException:
            self.discard()
            raise

    def _open_channel(self) -> Any:
        channel = self._connection.channel()
        queue = f"rpc.reply-nameko_connector-{self.reply_to}"
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False, nowait=True)
        channel.queue_declare(queue, exclusive=True, auto_delete=True, nowait=True)
        channel.queue_bind(queue, EXCHANGE, self.reply_to, nowait=True)
        channel.basic_consume(queue, "reply", no_ack=True, nowait=True, callback=self._on_reply)
        self._publisher = ConfirmingPublisher(channel, self._on_settled)
        self._publisher.select()  # waits, so errors of the calls above are raised here
        return channel

    # What arrives

    def _on_reply(self, message: Any) -> None:
        pending = self._pending.pop(message.properties.get("correlation_id"), None)
        if pending is not None:
            pending.settle(reply=message)

    def _on_settled(self, correlation_id: str, confirm: Confirm) -> None:
        pending = self._pending.get(correlation_id)
        if pending is None:  # the reply came first
            return
        if confirm is Confirm.TAKEN:
            pending.confirmed_at = time.monotonic()
            return
        del self._pending[correlation_id]
        if confirm is Confirm.RETURNED:
            pending.settle(returned=True)
        else:
            pending.settle(refused=True)

    def _on_blocked(self, reason: str) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False

    # What is done

    def publish(
        self,
        request: Encoded,
        deadline: Deadline,
        expire: float,
        notify: Callable[[], None] | None = None,
    ) -> Pending:
        """Publish a request that expires after `expire` seconds in a queue.

        If this raises, the broker did not receive the complete request and will not deliver it.
        """
        pending = Pending(str(uuid.uuid4()), expire, notify=notify)
        message = amqp.Message(
            request.body,
            application_headers={**request.headers, "nameko.call_id_stack": [pending.call_id]},
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=1,  # persistent, it would survive a restart of the broker
            correlation_id=pending.correlation_id,
            reply_to=self.reply_to,
            expiration=str(max(1, int(expire * 1000))),  # ms
        )
        self._connection.transport.deadline = deadline
        self._pending[pending.correlation_id] = pending  # first: if this fails, it is not clean
        self._publisher.publish(message, EXCHANGE, request.routing_key)
        return pending

    def wait(self, pending: Pending, deadline: Deadline) -> None:
        """Read until the request is settled."""
        while not pending.settled:
            self.read_event(deadline)

    def read_event(self, deadline: Deadline) -> None:
        """Wait for one event (a reply, a confirm...) and handle it; send heartbeats meanwhile."""
        transport = self._connection.transport
        while True:
            transport.deadline = deadline.within(HEARTBEAT / 2)
            try:
                return self._connection.drain_events()
            except TimeoutError:
                if deadline.passed():
                    raise
            transport.deadline = deadline
            self._connection.send_heartbeat()

    def look(self, service: str, deadline: Deadline) -> QueueState:
        """Return the state of a service's queue."""
        self._connection.transport.deadline = deadline
        channel = self._connection.channel()
        try:
            queue = channel.queue_declare(f"rpc-{service}", passive=True)
        except amqp.NotFound:
            queue = None
        channel.close()
        return QueueState(queue.message_count, queue.consumer_count) if queue else QueueState(0, 0)

    @property
    def clean(self) -> bool:
        """Whether no request is open and no operation was interrupted."""
        return not (self._pending or self.spoiled)

    def works(self, deadline: Deadline, *, ask_broker: bool) -> bool:
        """Return whether the connection is open; with `ask_broker`, ask the broker."""
        try:
            self._connection.transport.deadline = deadline
            self._connection.drain_arrived(deadline.passed)
            if ask_broker:
                self._channel.flow(True)
        except BROKER_LOST:
            return False
        return True

    # Closing

    def close(self) -> None:
        """Send connection.close, so that the broker deletes the reply queue; do not wait."""
        self._connection.close_at_once()

    def discard(self) -> None:
        """Close the socket only."""
        self._connection.discard()

    def abandon(self) -> None:
        """Drop the connection in a forked child without affecting the parent's."""
        self._connection.abandon()
