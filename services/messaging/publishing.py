"""Publishes over the connection on which a service consumes, with many confirms at a time.

Nameko itself publishes each message over another connection from a pool, and blocks that connection
until the broker has confirmed the message.

Here messages have a channel of their own. When the broker refuses a message, it closes the channel;
the requests, which are on other channels, are not affected. All unconfirmed messages of the closed
channel are published again, each on a new channel, so that only the refused one fails.
"""

import itertools
import math
import re
from typing import Any

import kombu.serialization
from amqp import AMQPError, Message
from amqp.exceptions import FrameSyntaxError
from amqp.serialization import dumps
from eventlet.event import Event
from kombu.entity import Exchange
from kombu.exceptions import OperationalError
from nameko.amqp.publish import UndeliverableMessage
from nameko.constants import PERSISTENT

from services.exceptions import MessageTooLarge, PublicationRefused
from services.messaging.py_amqp import close_channel, open_channel, publish

MAX_HEADERS = 120_000  # bytes, that fit into a frame of 128 KiB with the other properties
NOT_FOUND = "404 "
CONNECTION_LOST = "the connection on which the service consumes is lost"
BROKERS_LIMIT = re.compile(r"larger than (?:configured )?max size '?(\d+)")


class SizeLimit:
    """The maximum size of a published message: the configured one, or the broker's if smaller."""

    def __init__(self, largest: int) -> None:
        self.bytes = largest

    def check(self, size: int) -> None:
        """Raise MessageTooLarge if a body of `size` bytes is too large."""
        if size > self.bytes:
            raise MessageTooLarge(
                f"A message of {size} bytes is larger than the {self.bytes} that may be sent. Send "
                "less at once, in several messages or by reference, for example as a file."
            )

    def learn(self, size: int, refusal: str) -> None:
        """Note the limit of size in the broker's refusal, if any, and raise its error."""
        if found := BROKERS_LIMIT.search(refusal):
            self.bytes = min(self.bytes, int(found[1]))
            self.check(size)
        raise PublicationRefused(f"The broker refuses a message of {size} bytes: {refusal}")


class ConfirmingChannel:
    """A channel with confirms, opened without waiting. If it is closed, only its messages fail."""

    def __init__(self, connection: Any) -> None:
        self._tags = itertools.count(1)
        self._unconfirmed: dict[int, Event] = {}
        self._returned: set[str] = set()  # ids of messages
        self.refusal: str | None = None  # why the broker closed the channel
        self._channel = channel = open_channel(connection, self._on_refusal)
        channel.events["basic_ack"].add(lambda tag, multiple: self._settle(tag, multiple, True))
        channel.events["basic_nack"].add(lambda tag, multiple: self._settle(tag, multiple, False))
        channel.events["basic_return"].add(self._on_return)
        channel.confirm_select(nowait=True)

    def send(self, message: Message, exchange: str, routing_key: str, mandatory: bool) -> None:
        """Publish a message and wait for the broker's confirm; see `Publisher.send`."""
        try:
            publish(self._channel, message, exchange, routing_key, mandatory=mandatory)
        except FrameSyntaxError as error:
            raise ValueError(f"a message cannot be encoded: {error}") from error
        except (OSError, AMQPError) as error:
            raise OperationalError(str(error)) from error
        confirmed = Event()
        self._unconfirmed[next(self._tags)] = confirmed  # no other greenlet ran since it was sent
        if not confirmed.wait():
            raise OperationalError(self.refusal or "the broker did not confirm a message")
        if mandatory and (name := _name(message)) in self._returned:
            self._returned.discard(name)
            raise UndeliverableMessage

    def lose(self) -> None:
        """Fail all unconfirmed messages: no more confirms will arrive."""
        self._settle(max(self._unconfirmed, default=0), multiple=True, confirmed=False)

    def close(self) -> None:
        """Close the channel without waiting for the broker's answer."""
        if self.refusal is None:
            close_channel(self._channel)

    def _on_refusal(self, reason: str) -> None:
        self.refusal = reason
        self.lose()

    def _on_return(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        self._returned.add(_name(message))

    def _settle(self, tag: int, multiple: bool, confirmed: bool) -> None:
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        for each in tags:
            if event := self._unconfirmed.pop(each, None):
                event.send(confirmed)


def _name(message: Any) -> str:
    """Return the id that identifies a mandatory message if the broker returns it."""
    properties = message.properties
    return str(properties.get("message_id") or properties.get("correlation_id"))


def check_headers(headers: dict[str, Any]) -> None:
    """Raise ValueError, or an error of py-amqp's, for headers that would break the connection."""
    try:
        size = len(dumps("F", [headers]))
    except RecursionError:
        raise ValueError("the headers of a message are nested too deep") from None
    if size > MAX_HEADERS:
        raise ValueError(f"the headers of a message take more than {MAX_HEADERS} bytes")
    if not all(map(_is_finite, headers.values())):
        raise ValueError("a header holds a number that is not finite: RabbitMQ takes none")


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


class Publisher:
    """Publishes on the connection on which a service consumes."""

    def __init__(self, connection: Any, serializer: str, limit: SizeLimit) -> None:
        self._connection = connection
        self._serializer = serializer
        self._limit = limit
        self._shared = ConfirmingChannel(connection)
        self._alone: set[ConfirmingChannel] = set()

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
        """Publish a payload and wait for the broker's confirm; raises the errors of `send`."""
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
        self.send(message, exchange.name, routing_key, mandatory)

    def send(
        self, message: Message, exchange: str, routing_key: str, mandatory: bool = False
    ) -> None:
        """Publish a message and wait for the broker's confirm.

        A `mandatory` message needs a message id or correlation id of its own. Raises
        OperationalError if it is unknown whether the broker has the message, or if it refuses it
        for now; UndeliverableMessage if a mandatory message reaches no queue; MessageTooLarge or
        PublicationRefused if the broker will never accept it; ValueError or another error if it
        cannot be encoded.
        """
        self._check(message)
        if self._shared.refusal is not None:
            self._shared = self._open()
        shared = self._shared
        try:
            shared.send(message, exchange, routing_key, mandatory)
        except OperationalError:
            if shared.refusal is None:
                raise
            self._send_alone(message, exchange, routing_key, mandatory)

    def _check(self, message: Message) -> None:
        if isinstance(message.body, str):
            message.body = message.body.encode(
                message.properties.get("content_encoding") or "utf-8"
            )
        self._limit.check(len(message.body))
        if headers := message.properties.get("application_headers"):
            check_headers(headers)

    def _send_alone(
        self, message: Message, exchange: str, routing_key: str, mandatory: bool
    ) -> None:
        """Publish a message on a channel of its own, after the broker closed the shared one."""
        channel = self._open()
        self._alone.add(channel)
        try:
            channel.send(message, exchange, routing_key, mandatory)
        except OperationalError:
            if channel.refusal is None:
                raise
            if channel.refusal.startswith(NOT_FOUND):  # connecting again declares the exchange
                self._connection.transport.close()
                raise
            self._limit.learn(len(message.body), channel.refusal)
        finally:
            self._alone.discard(channel)
            channel.close()

    def _open(self) -> ConfirmingChannel:
        if self._connection.channels is None:
            raise OperationalError(CONNECTION_LOST)
        return ConfirmingChannel(self._connection)

    def lose(self) -> None:
        """Fail all unconfirmed messages: no more confirms will arrive."""
        for channel in (self._shared, *self._alone):
            channel.lose()
