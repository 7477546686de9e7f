"""Adds to py-amqp larger reads, combined writes, and channels that are opened without waiting.

With `reading`, this is the only module that relies on py-amqp's internals.
tests/services/messaging/test_reading.py fails if a new version changes them.
"""

import logging
from collections.abc import Callable
from typing import Any

import amqp
import eventlet
from amqp import Message, spec
from eventlet.event import Event

logger = logging.getLogger(__name__)

TESTED_VERSION = "5.4."
if not amqp.__version__.startswith(TESTED_VERSION):
    logger.warning(
        "py-amqp %s is not the version that these services were tested with (%s*): run "
        "tests/services/messaging/test_reading.py",
        amqp.__version__,
        TESTED_VERSION,
    )
READ_AHEAD = 65536  # bytes


class ReadAhead:
    """Makes a connection read all that has arrived; py-amqp reads only the bytes it needs next."""

    def __init__(self, connection: Any) -> None:
        """Replace the function with which a connection reads."""
        transport = connection.transport
        self._socket = transport.sock
        self._receive = transport._quick_recv
        self._reader: eventlet.greenlet.greenlet | None = None  # that waits for data
        transport._quick_recv = self.receive

    def receive(self, size: int) -> bytes:
        """Wait for data; return what has arrived."""
        self._reader = eventlet.getcurrent()
        try:
            return bytes(self._receive(max(size, READ_AHEAD)))
        finally:
            self._reader = None

    def interrupt(self) -> None:
        """End a wait for messages soon, with TimeoutError; a wait for an answer goes on."""
        eventlet.hubs.get_hub().schedule_call_global(0, self._time_out)

    def _time_out(self) -> None:
        if self._reader is not None and self._socket.gettimeout() is not None:
            self._reader.throw(TimeoutError("interrupted"))


class GatheredWrites:
    """Sends all that greenlets write in one turn of the event loop as one piece, in order."""

    def __init__(self, connection: Any) -> None:
        """Replace the function with which a connection writes."""
        self._socket = connection.transport.sock
        self._waiting: list[bytes] = []
        self._sent: Event | None = None  # sent when all is written to the socket
        connection.transport._write = self.write

    def write(self, data: bytes | memoryview) -> None:
        """Let these bytes be sent soon; do not wait for that."""
        self._waiting.append(bytes(data))
        if self._sent is None:
            self._sent = Event()
            eventlet.spawn_n(self._send_all, self._sent)

    def flush(self) -> None:
        """Wait until all written bytes are sent, or the connection is lost."""
        if self._sent is not None:
            self._sent.wait()

    def _send_all(self, sent: Event) -> None:
        try:
            while self._waiting:
                data, self._waiting = b"".join(self._waiting), []
                self._send(memoryview(data))
        except OSError:  # the connection's reader gets it, too, and handles it
            self._waiting.clear()
        finally:
            self._sent = None
            sent.send()

    def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self._socket.send(data) :]
            except TimeoutError:  # the reader's, which it sets for the whole socket
                continue


def open_channel(connection: Any, on_refusal: Callable[[str], None]) -> Any:
    """Return a new channel without waiting for the broker.

    on_refusal: called with the reason when the broker closes the channel; no other is affected
    """
    channel = connection.Channel(connection)

    def on_close(code: int, text: str, class_id: int, method_id: int) -> None:
        channel.send_method(spec.Channel.CloseOk)
        channel.collect()
        on_refusal(f"{code} {text}")

    channel._callbacks[spec.Channel.Close] = on_close
    channel.send_method(spec.Channel.Open, "s", ("",))
    return channel


def close_channel(channel: Any) -> None:
    """Close a channel without waiting for the broker's answer."""
    if channel.connection:
        channel.is_closing = True
        channel.send_method(spec.Channel.Close, "BsBB", (0, "", 0, 0))


def publish(channel: Any, message: Message, exchange: str, key: str, *, mandatory: bool) -> None:
    """Publish a message, without waiting for anything.

    py-amqp's own `basic_publish` sets the socket's timeout, which other greenlets share.
    """
    arguments = (0, exchange, key, mandatory, False)
    channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)
