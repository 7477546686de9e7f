"""Reads delivered messages, even malformed ones, without breaking the connection.

py-amqp's own reader raises if a property is not UTF-8, a timestamp is out of range or a table is
nested too deep. That closes the connection; the message is redelivered and closes the next one.
`FrameReader` replaces that reader (`frame_handler` of py-amqp's `Connection`): such a message
arrives with a `flaw`. So does one that is too large; its body is dropped while it is read.
`Message` replaces kombu's class: it unpacks compressed bodies up to the same size.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from struct import unpack_from
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import UnexpectedFrame
from amqp.serialization import loads
from kombu.connection import Connection
from kombu.transport import pyamqp
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.exceptions import MalformedRequest

from services.exceptions import RequestTooLarge

MAX_MESSAGE_BYTES = 15_000_000
MOST_VALUES = 1_000_000  # in lists and objects of a message: decoding more blocks others
MOST_RATIO = 100  # of the unpacked size to the packed one, above FREE_BYTES
FREE_BYTES = 1_000_000
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
WITH_CONTENT = frozenset((spec.Basic.Return, spec.Basic.Deliver, spec.Basic.GetOk))
HEADER_START = 12  # bytes of class and size before the properties
# Not Python's others: some are slow or unpack without limit (idna, punycode, zlib).
ENCODINGS = frozenset(
    ("utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1", "binary", "utf-16")
)
UNPACKERS: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("application/x-gzip", "gzip", "zlib"), zlib.decompressobj),
    **dict.fromkeys(("application/x-bz2", "bzip2", "bzip"), bz2.BZ2Decompressor),
    **dict.fromkeys(
        ("application/x-lzma", "lzma", "xz"), partial(lzma.LZMADecompressor, memlimit=1 << 27)
    ),
}


class Content(amqp.Message):
    """A message as it arrives. `flaw`: why it cannot be used, or None."""

    flaw: str | None = None
    kept = True

    def inbound_header(self, buf: bytes, offset: int = 0) -> int:
        try:
            end: int = super().inbound_header(buf, offset)
        except Exception:  # noqa: BLE001 - py-amqp raises a dozen kinds
            self.properties, self.flaw = legible_properties(buf, HEADER_START)
            end = len(buf)
        encoding = self.properties.get("content_encoding")
        if encoding is not None and encoding.lower() not in ENCODINGS:
            self.properties["content_encoding"] = "binary"
            self.flaw = f"its content encoding is not one of {', '.join(sorted(ENCODINGS))}"
        self.ready = not self.body_size
        return end

    def limit(self, largest: int) -> None:
        """Drop the body if it has more than `largest` bytes."""
        if self.body_size > largest:
            self.kept = False
            self.flaw = f"it has {self.body_size} bytes, and may have {largest}: send less at once"

    def inbound_body(self, buf: bytes) -> None:
        if self.kept:
            super().inbound_body(buf)
        else:
            self.body_received += len(buf)
            self.ready = self.body_received >= self.body_size


class FrameReader:
    """Assembles frames into methods and messages, as py-amqp's own `frame_handler` does.

    largest: the maximum size of a body in bytes.
    """

    def __init__(self, connection: Any, callback: Callable[..., Any], largest: int) -> None:
        self._connection = connection
        self._callback = callback
        self._largest = largest
        self._partial: dict[int, Content] = {}
        self._expected: dict[int, int] = {}

    def __call__(self, frame: tuple[int, int, bytes]) -> bool:
        """Process a frame; return whether it completed a method or message."""
        kind, channel, data = frame
        self._connection.bytes_recv += 1
        if kind == HEARTBEAT:
            return False
        if kind != self._expected.get(channel, METHOD):
            raise UnexpectedFrame(f"Received frame {kind} in place of another")
        if kind == METHOD:
            return self._take_method(channel, data)
        return self._take_content(channel, kind, data)

    def _take_method(self, channel: int, data: bytes) -> bool:
        signature = unpack_from(">HH", data, 0)
        if signature in WITH_CONTENT:
            self._partial[channel] = Content(frame_method=signature, frame_args=data)
            self._expected[channel] = HEADER
            return False
        self._callback(channel, signature, data, None)
        return True

    def _take_content(self, channel: int, kind: int, data: bytes) -> bool:
        content = self._partial[channel]
        if kind == HEADER:
            content.inbound_header(data)
            content.limit(self._largest)
        else:
            content.inbound_body(data)
        if not content.ready:
            self._expected[channel] = BODY
            return False
        del self._expected[channel], self._partial[channel]
        self._dispatch(channel, content)
        return True

    def _dispatch(self, channel: int, content: Content) -> None:
        try:
            self._callback(channel, content.frame_method, content.frame_args, content)
        except UnicodeDecodeError:
            arguments = legible_delivery(content.frame_method, content.frame_args)
            if arguments == content.frame_args:
                raise
            self._callback(channel, content.frame_method, arguments, content)


def legible_properties(data: bytes, offset: int) -> tuple[dict[str, Any], str]:
    """Return the properties of a header that can be read, and a text that names the others."""
    (flags,) = unpack_from(">H", data, offset)
    offset += 2
    found: dict[str, Any] = {}
    illegible = []
    for bit, (name, kind) in enumerate(amqp.Message.PROPERTIES):
        if flags & 0x8000 >> bit:
            try:
                found[name] = _property(kind, data, offset)
            except Exception:  # noqa: BLE001 - whatever it is, the others are read
                illegible.append(name)
            offset += _size(kind, data, offset)
    return found, f"its {' and its '.join(illegible) or 'header'} cannot be read"


def _property(kind: str, data: bytes, offset: int) -> Any:
    (value,), _ = loads(kind, data, offset)
    if isinstance(value, str):
        value.encode()  # raises UnicodeEncodeError for lone surrogates
    return value


def _size(kind: str, data: bytes, offset: int) -> int:
    """Return the size of a property in bytes."""
    if offset >= len(data):
        return 0
    if kind == "s":
        return 1 + data[offset]
    return 4 + int.from_bytes(data[offset : offset + 4], "big") if kind == "F" else _FIXED[kind]


_FIXED = {"o": 1, "L": 8}


def legible_delivery(signature: tuple[int, int], data: bytes) -> bytes:
    """Return a delivery's arguments with "?" for each non-ASCII byte in exchange and key."""
    if signature != spec.Basic.Deliver:
        return data
    start = 4 + 1 + data[4] + 8 + 1  # behind the method, consumer tag, delivery tag, redelivered
    parts = [data[:start]]
    for _ in ("exchange", "routing key"):
        end = start + 1 + data[start]
        text = data[start + 1 : end].decode("ascii", "replace").replace("\ufffd", "?")
        parts += [data[start : start + 1], text.encode()]
        start = end
    return b"".join(parts)


def tolerant_connection(config: dict[str, Any]) -> Connection:
    """Return a connection to the configured broker that no message can break."""
    reader = partial(FrameReader, largest=largest_message(config))
    return Connection(
        config[AMQP_URI_CONFIG_KEY],
        ssl=config.get(AMQP_SSL_CONFIG_KEY),
        login_method=config.get(LOGIN_METHOD_CONFIG_KEY),
        transport_options={"frame_handler": reader},
    )


def tolerant_channel(connection: Connection, config: dict[str, Any]) -> Any:
    """Open a channel whose messages are `Message`s."""
    channel = connection.channel()
    read_messages(channel, largest_message(config))
    return channel


def read_messages(channel: Any, largest: int) -> None:
    """Make a channel return messages as `Message`s, with bodies of at most `largest` bytes."""
    channel.message_to_python = partial(Message, channel=channel, largest=largest)


def largest_message(config: dict[str, Any]) -> int:
    """Return the maximum size of a message in bytes."""
    return int(config.get("MAX_MESSAGE_BYTES") or MAX_MESSAGE_BYTES)


class Message(pyamqp.Message):
    """A delivered message, even a malformed one. `flaw`: why it cannot be used, or None."""

    def __init__(self, content: Content, channel: Any, largest: int) -> None:
        headers = content.properties.get("application_headers") or {}
        headers = {name: value for name, value in headers.items() if isinstance(name, str)}
        compression = headers.pop("compression", None)
        content.properties["application_headers"] = headers
        super().__init__(content, channel)
        self.flaw, self.kept = content.flaw, content.kept
        self.packed, self.compression = self.body, compression  # for a copy
        if compression is not None and not self.flaw:
            self._unpack(compression, largest)

    def _unpack(self, compression: Any, largest: int) -> None:
        try:
            self.body = unpacked(self.body, compression, largest)
        except Exception as error:  # noqa: BLE001 - each library has its own
            self.flaw = f"it cannot be unpacked: {error}"

    def content(self) -> Any:
        """Return the decoded body; raises MalformedRequest, RequestTooLarge or kombu's errors."""
        if self.flaw:
            kind = MalformedRequest if self.kept else RequestTooLarge
            raise kind(f"The message was not handled: {self.flaw}.")
        if self.content_type == "application/json" and has_many_values(self.body):
            raise RequestTooLarge(
                f"The message was not handled: it has more than {MOST_VALUES:,} values in lists "
                "and objects. Send fewer at once, or a reference to what the service fetches."
            )
        return self.decode()


def has_many_values(body: bytes | str) -> bool:
    """Return whether JSON has more than MOST_VALUES values; text inside its strings is ignored."""
    text = body if isinstance(body, str) else bytes(body).decode("latin-1")
    if _marks(text) <= MOST_VALUES:
        return False
    bare = text.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') > 4 * MOST_VALUES:  # the quotes of so many names and strings
        return True
    return _marks("".join(bare.split('"')[::2])) > MOST_VALUES


def _marks(text: str) -> int:
    return max(text.count(","), text.count("[") + text.count("{"))


def unpacked(body: bytes | str, compression: Any, largest: int) -> bytes:
    """Return the unpacked body of a message with the header `compression`.

    Raises ValueError for an unknown compression, for more than `largest` bytes, and for a small
    body that becomes a large one, because such a body costs its sender nothing.
    """
    unpacker = UNPACKERS.get(compression) if isinstance(compression, str) else None
    if unpacker is None:
        raise ValueError(f"use one of the compressions {', '.join(sorted(UNPACKERS))}")
    data = body.encode("latin-1") if isinstance(body, str) else body
    most = min(largest, max(FREE_BYTES, MOST_RATIO * len(data)))
    result: bytes = unpacker().decompress(data, most + 1)
    if len(result) > most:
        raise ValueError(f"it would have more than {most} bytes")
    return result
