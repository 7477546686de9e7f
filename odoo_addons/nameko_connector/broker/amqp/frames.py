"""AMQP frames to messages, whatever somebody wrote into them.

py-amqp raises out of the connection when a property is no UTF-8 or a header table is broken, and
collects a body of any size. This reads only what is needed, replaces what is no UTF-8, leaves
header tables alone, and drops the body of a message that is too large while it arrives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from struct import Struct, error, pack, unpack_from
from typing import Any

import amqp
from amqp import spec
from amqp.serialization import loads

_logger = logging.getLogger(__name__)
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8  # types of frames
TABLE = "F"  # the format of a header table
CONTENT_HEADER = Struct(">HxxQH")  # class, size of the body, flags of the properties
# In the order of their flags, from the highest on; how long each is follows from its format.
PROPERTIES = (
    ("content_type", "s"),
    ("content_encoding", "s"),
    ("application_headers", TABLE),
    ("delivery_mode", "o"),
    ("priority", "o"),
    ("correlation_id", "s"),
    ("reply_to", "s"),
    ("expiration", "s"),
    ("message_id", "s"),
    ("timestamp", "L"),
    ("type", "s"),
    ("user_id", "s"),
    ("app_id", "s"),
    ("cluster_id", "s"),
)
# The arguments of the methods that bring a message: `s` are the texts that others write.
CONTENT_METHODS = {spec.Basic.Deliver: "sLbss", spec.Basic.Return: "Bsss"}
WIDTHS = {"o": 1, "b": 1, "B": 2, "L": 8}  # bytes
Callback = Callable[[int, tuple[int, int], bytes, Any], Any]


class FrameReader:
    """Reads the frames of a connection, in place of py-amqp's `frame_handler`.

    most_bytes: of a body; a message with a larger one arrives with the body None.
    """

    def __init__(self, connection: Any, callback: Callback, most_bytes: int) -> None:
        self._connection = connection
        self._callback = callback
        self._most_bytes = most_bytes
        self._messages: dict[int, Incoming] = {}  # of which more is to come, by channel

    def __call__(self, frame: tuple[int, int, bytes]) -> bool:
        """Handle a frame; return whether it ended a method, as py-amqp does."""
        kind, channel, payload = frame
        self._connection.bytes_recv += 1
        if kind == HEARTBEAT:
            return False
        message = self._messages.get(channel)
        if kind == METHOD and message is None:
            return self._on_method(channel, payload)
        if message is None or not message.take(kind, payload):
            raise amqp.UnexpectedFrame(f"a frame of type {kind} out of its order")
        if not message.is_whole:
            return False
        del self._messages[channel]
        self._callback(channel, message.method, message.arguments, message.finished())
        return True

    def _on_method(self, channel: int, payload: bytes) -> bool:
        method: tuple[int, int] = unpack_from(">HH", payload)
        if method not in CONTENT_METHODS:
            self._callback(channel, method, payload, None)
            return True
        arguments = readable(payload, CONTENT_METHODS[method])
        self._messages[channel] = Incoming(method, arguments, self._most_bytes)
        return False


class Incoming:
    """A message of which not all has arrived."""

    def __init__(self, method: tuple[int, int], arguments: bytes, most_bytes: int) -> None:
        self.method, self.arguments = method, arguments
        self._most_bytes = most_bytes
        self._properties: dict[str, Any] | None = None
        self._header = b""
        self._chunks: list[bytes] = []
        self._size = self._received = 0

    def take(self, kind: int, payload: bytes) -> bool:
        """Add a frame; return False where it is not the one that must come now."""
        if kind == HEADER and self._properties is None:
            _, self._size, _ = CONTENT_HEADER.unpack_from(payload)
            self._properties, self._header = read_properties(payload), payload
            return True
        if kind != BODY or self._properties is None:
            return False
        self._received += len(payload)
        if not self._is_too_large:
            self._chunks.append(payload)
        return True

    @property
    def _is_too_large(self) -> bool:
        return self._size > self._most_bytes

    @property
    def is_whole(self) -> bool:
        return self._properties is not None and self._received >= self._size

    def finished(self) -> amqp.Message:
        """Return the message, which keeps its `content_header`.

        Its `body_size` is also that of a body that was dropped.
        """
        message = amqp.Message(None if self._is_too_large else b"".join(self._chunks))
        message.properties = self._properties
        message.body_size, message.content_header = self._size, self._header
        return message


def read_properties(header: bytes) -> dict[str, Any]:
    """Return a message's texts and numbers without its header table; of a broken one, nothing."""
    try:
        return {
            name: _value(header[start:end], form)
            for name, form, start, end in _extents(header)
            if form != TABLE
        }
    except (error, IndexError):
        return {}


def read_headers(header: bytes) -> dict[str, Any]:
    """Return a message's header table; of one that cannot be read, nothing."""
    try:
        for _, form, start, _ in _extents(header):
            if form == TABLE:
                (table,), _ = loads(TABLE, header, start - 4)  # with its length before it
                return table if isinstance(table, dict) else {}
    except Exception:  # anybody may have written it
        _logger.info("A header table cannot be read", exc_info=True)
    return {}


def _extents(header: bytes) -> Iterator[tuple[str, str, int, int]]:
    """Yield the name and format of each property that is there, where it begins and ends."""
    *_, flags = CONTENT_HEADER.unpack_from(header)
    position = CONTENT_HEADER.size
    for number, (name, form) in enumerate(PROPERTIES):
        if flags & (0x8000 >> number):
            start, position = extent(header, position, form)
            yield name, form, start, position


def extent(data: bytes, position: int, form: str) -> tuple[int, int]:
    """Return where a value begins, behind its length, and where it ends."""
    if form == "s":
        return position + 1, position + 1 + data[position]
    if form == TABLE:
        return position + 4, position + 4 + unpack_from(">I", data, position)[0]
    return position, position + WIDTHS[form]


def _value(data: bytes, form: str) -> str | int:
    return _text(data) if form == "s" else int.from_bytes(data, "big")


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def readable(arguments: bytes, form: str) -> bytes:
    """Return a method's arguments with every text as UTF-8, as py-amqp needs them."""
    if arguments.isascii():
        return arguments
    position, parts = 4, [arguments[:4]]  # behind the method's number
    for kind in form:
        start, end = extent(arguments, position, kind)
        text = _text(arguments[start:end]).encode()[:255] if kind == "s" else b""
        parts.append(pack("B", len(text)) + text if kind == "s" else arguments[start:end])
        position = end
    return b"".join(parts)
