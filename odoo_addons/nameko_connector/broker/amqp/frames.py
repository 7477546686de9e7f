"""Assemble messages from AMQP frames, even if their content is invalid.

py-amqp breaks the connection when a property is not UTF-8 or a header table is invalid, and
collects a body of any size. This module replaces invalid UTF-8, parses header tables only on
demand, and drops the body of a message that is too large while it arrives.
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
# In the order of their flags, the highest first, with the format that determines their length.
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
# The formats of the arguments of methods that deliver a message: `s` is a text.
CONTENT_METHODS = {spec.Basic.Deliver: "sLbss", spec.Basic.Return: "Bsss"}
WIDTHS = {"o": 1, "b": 1, "B": 2, "L": 8}  # bytes
Callback = Callable[[int, tuple[int, int], bytes, Any], Any]


class FrameReader:
    """Handles the frames of a connection, in place of py-amqp's `frame_handler`.

    most_bytes: the largest body; a message with a larger one is delivered with the body None.
    """

    def __init__(self, connection: Any, callback: Callback, most_bytes: int) -> None:
        self._connection = connection
        self._callback = callback
        self._most_bytes = most_bytes
        self._messages: dict[int, Incoming] = {}  # incomplete ones, by channel

    def __call__(self, frame: tuple[int, int, bytes]) -> bool:
        """Handle a frame; return whether it completed a method, as py-amqp does."""
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
    """A message that has not completely arrived."""

    def __init__(self, method: tuple[int, int], arguments: bytes, most_bytes: int) -> None:
        self.method, self.arguments = method, arguments
        self._most_bytes = most_bytes
        self._properties: dict[str, Any] | None = None
        self._header = b""
        self._chunks: list[bytes] = []
        self._size = self._received = 0

    def take(self, kind: int, payload: bytes) -> bool:
        """Add a frame; return False if it is out of order."""
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
        """Return the complete message, with its `content_header`.

        `body_size` is the size of the body, in bytes, even if the body was dropped.
        """
        message = amqp.Message(None if self._is_too_large else b"".join(self._chunks))
        message.properties = self._properties
        message.body_size, message.content_header = self._size, self._header
        return message


def read_properties(header: bytes) -> dict[str, Any]:
    """Return a message's properties except its header table; {} if they cannot be read."""
    try:
        return {
            name: _value(header[start:end], form)
            for name, form, start, end in _extents(header)
            if form != TABLE
        }
    except (error, IndexError):
        return {}


def read_headers(header: bytes) -> dict[str, Any]:
    """Return a message's header table; {} if it cannot be read."""
    try:
        for _, form, start, _ in _extents(header):
            if form == TABLE:
                (table,), _ = loads(TABLE, header, start - 4)  # starts at its length
                return table if isinstance(table, dict) else {}
    except Exception:  # the table may contain anything
        _logger.info("A header table cannot be read", exc_info=True)
    return {}


def _extents(header: bytes) -> Iterator[tuple[str, str, int, int]]:
    """Yield the name, format, start and end of each property that is present."""
    *_, flags = CONTENT_HEADER.unpack_from(header)
    position = CONTENT_HEADER.size
    for number, (name, form) in enumerate(PROPERTIES):
        if flags & (0x8000 >> number):
            start, position = extent(header, position, form)
            yield name, form, start, position


def extent(data: bytes, position: int, form: str) -> tuple[int, int]:
    """Return where a value begins, after its length, and where it ends."""
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
    """Return a method's arguments with valid UTF-8 in every text, as py-amqp requires."""
    if arguments.isascii():
        return arguments
    position, parts = 4, [arguments[:4]]  # after the method's number
    for kind in form:
        start, end = extent(arguments, position, kind)
        text = _text(arguments[start:end]).encode()[:255] if kind == "s" else b""
        parts.append(pack("B", len(text)) + text if kind == "s" else arguments[start:end])
        position = end
    return b"".join(parts)
