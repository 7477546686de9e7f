"""Replies over the connection that the requests came by, confirmed by the broker many at a time.

Nameko publishes each reply through a pool of other connections and waits for its confirm there
before it takes up anything else.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import eventlet
import kombu.serialization
from amqp import AMQPError, Message, spec
from eventlet.event import Event
from kombu.entity import Exchange
from kombu.exceptions import OperationalError
from nameko import messaging
from nameko.constants import PERSISTENT

READ_AHEAD = 65536  # bytes


class GatheredWrites:
    """Sends what the greenlets of one turn of the event loop write in one piece, in their order."""

    def __init__(self, connected: Any) -> None:
        self._socket = connected
        self._waiting: list[bytes] = []
        self._sending = False

    def write(self, data: bytes | memoryview) -> None:
        self._waiting.append(bytes(data))
        if not self._sending:
            self._sending = True
            eventlet.spawn_n(self._send_all)

    def _send_all(self) -> None:
        try:
            while self._waiting:
                data, self._waiting = b"".join(self._waiting), []
                self._send(memoryview(data))
        except OSError:  # whoever reads from the connection meets it too
            self._waiting.clear()
        finally:
            self._sending = False

    def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._socket.send(data) :]
            except TimeoutError:  # of a reader, who sets it for the socket
                continue


class ReplyPublisher:
    """Publishes replies on the channel that the requests come by."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self._tags = itertools.count(1)
        self._unconfirmed: dict[int, Event] = {}
        channel.events["basic_ack"].add(lambda tag, multiple: self._settle(tag, multiple, True))
        channel.events["basic_nack"].add(lambda tag, multiple: self._settle(tag, multiple, False))
        channel.confirm_select(nowait=True)

    def publish(
        self,
        payload: dict[str, Any],
        *,
        serializer: str,
        exchange: Exchange,
        routing_key: str,
        correlation_id: str | None,
    ) -> None:
        """Return when the broker has the reply for certain.

        Raises OperationalError where that will not be known, or the broker refuses.
        """
        content_type, content_encoding, body = kombu.serialization.dumps(payload, serializer)
        message = Message(
            body,
            content_type=content_type,
            content_encoding=content_encoding,
            delivery_mode=PERSISTENT,
            correlation_id=correlation_id,
        )
        confirmed = Event()
        arguments = (0, exchange.name, routing_key, False, False)
        try:
            self.channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)
        except (OSError, AMQPError) as error:
            raise OperationalError(str(error)) from error
        self._unconfirmed[next(self._tags)] = confirmed  # no other greenlet ran since it was sent
        if not confirmed.wait():
            raise OperationalError("the broker did not confirm a reply")

    def lose(self) -> None:
        """Say that no more confirms will come."""
        self._settle(max(self._unconfirmed, default=0), multiple=True, confirmed=False)

    def _settle(self, tag: int, multiple: bool, confirmed: bool) -> None:
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        for each in tags:
            self._unconfirmed.pop(each).send(confirmed)


class QueueConsumer(messaging.QueueConsumer):
    """Nameko's, whose connection also carries the replies, and lasts until they are out.

    Nameko closes the connection with its last queue, at once when a shutdown begins: the broker
    would give the requests in hand to another instance, to run twice.
    """

    sharing_key = messaging.QueueConsumer

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self._publisher: ReplyPublisher | None = None  # of the open connection

    def reply_publisher(self, channel: Any) -> ReplyPublisher:
        """Return the publisher on `channel`; raises OperationalError where it is closed."""
        if self._publisher is None or self._publisher.channel is not channel:
            raise OperationalError("the connection that the request came by is lost")
        return self._publisher

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Prepare a new connection; called by kombu before it consumes."""
        self._lose_publisher()
        transport = channel.connection.transport
        receive = transport._quick_recv  # py-amqp's buffered reader, which asks for no byte ahead
        transport._quick_recv = lambda size: receive(max(size, READ_AHEAD))
        transport._write = GatheredWrites(transport.sock).write
        self._publisher = ReplyPublisher(channel)
        return super().get_consumers(consumer_cls, channel)

    @contextmanager
    def extra_context(self, connection: Any, channel: Any) -> Iterator[None]:
        try:
            yield
        finally:
            self._lose_publisher()

    def on_iteration(self) -> None:
        self._cancel_consumers_if_requested()
        if self.stopping and not self._consumers:
            self.should_stop = True

    def stop(self) -> None:
        """End when the workers have ended, which the container waits for before it calls this."""
        self.stopping = True
        super().stop()

    def _lose_publisher(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.lose()
