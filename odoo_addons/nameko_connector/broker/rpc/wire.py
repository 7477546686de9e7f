"""Nameko's RPC on one AMQP connection: requests and replies over the same channel.

Nameko's own proxy publishes through a second, process-wide connection and waits for the confirm
of a request before it waits for the reply. Here confirm and reply are awaited together.
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

# s; nothing beats while idle, so the broker closes a forgotten connection itself
HEARTBEAT = 60.0
REFUSED = (amqp.AccessRefused, amqp.PreconditionFailed)  # the broker closes the channel


def connect(config: BrokerConfig, deadline: Deadline) -> Wire:
    """Open a connection that is ready for calls; raise BrokerUnreachable or AccessRefused."""
    with explained(config):
        return Wire(config, deadline)


@dataclass
class Pending:
    """A request on its way."""

    correlation_id: str
    expire: float  # s in the broker
    confirmed_at: float | None = None  # time.monotonic
    returned: bool = False
    refused: bool = False
    reply: Any = None
    notify: Callable[[], None] | None = None  # called when one of the three is set

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
        """Whether the broker had certainly dropped it by then, unless an instance had it."""
        return self.confirmed_at is not None and at > self.confirmed_at + self.expire


class QueueState(NamedTuple):
    """What the broker says of the queue of a service; no consumers if there is no queue."""

    messages: int
    consumers: int


class Wire:
    """One connection with an exclusive reply queue, for one user at a time.

    Methods raise TimeoutError at the deadline, OSError or AMQPError when the connection is lost;
    after either the connection must be discarded.
    """

    def __init__(self, config: BrokerConfig, deadline: Deadline) -> None:
        self.reply_to = str(uuid.uuid4())
        self.used_at = time.monotonic()
        self.blocked = False
        self.spoiled = False  # set where something was left half done
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
        self._publisher.select()  # waits: a refusal of the above comes first
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
        """Send a request that the broker drops after `expire` seconds in a queue.

        If it raises, the broker did not get all of the request and will not execute it.
        """
        pending = Pending(str(uuid.uuid4()), expire, notify=notify)
        message = amqp.Message(
            request.body,
            application_headers={**request.headers, "nameko.call_id_stack": [pending.call_id]},
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=1,  # on disk it would outlive a restart of the broker, and its caller
            correlation_id=pending.correlation_id,
            reply_to=self.reply_to,
            expiration=str(max(1, int(expire * 1000))),  # ms
        )
        self._connection.transport.deadline = deadline
        self._pending[pending.correlation_id] = pending  # first: half a request is not clean either
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
        """The state of the queue of a service."""
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
        """Whether no request is open on it, and nothing half done."""
        return not (self._pending or self.spoiled)

    def works(self, deadline: Deadline, *, ask_broker: bool) -> bool:
        """Whether the connection is alive, as far as is known here, or by asking the broker."""
        try:
            self._connection.transport.deadline = deadline
            self._connection.drain_arrived(deadline.passed)
            if ask_broker:
                self._channel.flow(True)
        except BROKER_LOST:
            return False
        return True

    # Its end

    def close(self) -> None:
        """Tell the broker, which deletes the reply queue; never waits for an answer."""
        self._connection.close_at_once()

    def discard(self) -> None:
        """Close the socket only."""
        self._connection.discard()

    def abandon(self) -> None:
        """Forget the connection in a forked child, leaving the parent's alone."""
        self._connection.abandon()
