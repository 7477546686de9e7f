"""Publishing over the connection that the requests come by, confirmed by the broker many at a time.

Nameko publishes each message through a pool of other connections and waits for its confirm there
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
from nameko.amqp.publish import UndeliverableMessage
from nameko.constants import DEFAULT_SERIALIZER, PERSISTENT, SERIALIZER_CONFIG_KEY

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


class Publisher:
    """Publishes on the channel that the requests come by."""

    def __init__(self, channel: Any, serializer: str) -> None:
        self.channel = channel
        self._serializer = serializer
        self._tags = itertools.count(1)
        self._unconfirmed: dict[int, Event] = {}
        self._returned: set[str] = set()  # correlation ids
        channel.events["basic_ack"].add(lambda tag, multiple: self._settle(tag, multiple, True))
        channel.events["basic_nack"].add(lambda tag, multiple: self._settle(tag, multiple, False))
        channel.events["basic_return"].add(self._on_return)
        channel.confirm_select(nowait=True)

    def publish(  # noqa: PLR0913 (with what Nameko calls its own)
        self,
        payload: dict[str, Any],
        *,
        exchange: Exchange,
        routing_key: str,
        correlation_id: str | None,
        serializer: str | None = None,
        mandatory: bool = False,
        extra_headers: dict[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        """Return when the broker has the message for certain.

        Raises OperationalError where that will not be known, or the broker refuses, and
        UndeliverableMessage where no queue takes what is `mandatory`.
        """
        content_type, content_encoding, body = kombu.serialization.dumps(
            payload, serializer or self._serializer
        )
        message = Message(
            body,
            content_type=content_type,
            content_encoding=content_encoding,
            application_headers=extra_headers,
            delivery_mode=PERSISTENT,
            correlation_id=correlation_id,
            **properties,
        )
        confirmed = Event()
        arguments = (0, exchange.name, routing_key, mandatory, False)
        try:
            self.channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)
        except (OSError, AMQPError) as error:
            raise OperationalError(str(error)) from error
        self._unconfirmed[next(self._tags)] = confirmed  # no other greenlet ran since it was sent
        if not confirmed.wait():
            raise OperationalError("the broker did not confirm a message")
        if correlation_id in self._returned:
            self._returned.discard(correlation_id)
            raise UndeliverableMessage

    def lose(self) -> None:
        """Say that no more confirms will come."""
        self._settle(max(self._unconfirmed, default=0), multiple=True, confirmed=False)

    def _on_return(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        self._returned.add(message.properties["correlation_id"])

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
        self._publisher: Publisher | None = None  # of the open connection

    def publisher(self, channel: Any = None) -> Publisher:
        """Return the publisher, on `channel` if given; raises OperationalError where it is lost."""
        if self._publisher is None or channel not in (None, self._publisher.channel):
            raise OperationalError("the connection that the requests come by is lost")
        return self._publisher

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Prepare a new connection; called by kombu before it consumes."""
        self._lose_publisher()
        transport = channel.connection.transport
        receive = transport._quick_recv  # py-amqp's buffered reader, which asks for no byte ahead
        transport._quick_recv = lambda size: receive(max(size, READ_AHEAD))
        transport._write = GatheredWrites(transport.sock).write
        serializer = self.container.config.get(SERIALIZER_CONFIG_KEY, DEFAULT_SERIALIZER)
        self._publisher = Publisher(channel, serializer)
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
