"""A small AMQP 0-9-1 publisher, which can send messages that no client library would encode."""

import socket
import struct
import urllib.parse
from collections.abc import Mapping

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = b"\xce"
PERSISTENT = b"\x02"
BASIC = 60
# Each property with its bit in the header's flags, in the order in which they are sent.
PROPERTIES = {
    "content_type": 15, "content_encoding": 14, "headers": 13, "delivery_mode": 12, "priority": 11,
    "correlation_id": 10, "reply_to": 9, "expiration": 8, "message_id": 7, "timestamp": 6,
    "type": 5, "user_id": 4, "app_id": 3, "cluster_id": 2,
}  # fmt: skip
CONNECTION_CLOSE, CHANNEL_CLOSE = (10, 50), (20, 40)
ACK, NACK = (60, 80), (60, 120)


class Refused(Exception):
    """The broker closed the channel or the connection because of a message."""


def short(text: bytes) -> bytes:
    """Encode a short string; any bytes, at most 255 of them."""
    return bytes([len(text)]) + text


def long(text: bytes) -> bytes:
    """Encode a long string; any bytes."""
    return struct.pack(">I", len(text)) + text


class RawPublisher:
    """Publishes with confirms on one channel, one message at a time; connects again if refused."""

    def __init__(self, uri: str) -> None:
        self._parts = urllib.parse.urlsplit(uri)
        self._socket = self._connect()

    def publish(
        self, exchange: bytes, key: bytes, properties: Mapping[str, bytes], body: bytes
    ) -> None:
        """Send a message and wait until the broker has it.

        :param properties: the encoded properties, by name
        :raises Refused: the broker does not accept the message
        """
        publish = struct.pack(">HHH", BASIC, 40, 0) + short(exchange) + short(key) + b"\0"
        flags = sum(1 << PROPERTIES[name] for name in properties)
        header = struct.pack(">HHQH", BASIC, 0, len(body), flags)
        header += b"".join(properties[name] for name in PROPERTIES if name in properties)
        frames = [self._frame(METHOD, publish), self._frame(HEADER, header)]
        step = self._frame_max - 8
        frames += [self._frame(BODY, body[at : at + step]) for at in range(0, len(body), step)]
        try:
            self._socket.sendall(b"".join(frames))
            self._wait_for_confirm()
        except (OSError, Refused) as error:
            self.close()
            self._socket = self._connect()
            raise Refused(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def _wait_for_confirm(self) -> None:
        while True:
            method, content = self._read_method()
            if method in (CONNECTION_CLOSE, CHANNEL_CLOSE):
                raise Refused(content[2:].decode(errors="replace"))
            if method == NACK:
                raise Refused("not confirmed")
            if method == ACK:
                return

    def _connect(self) -> socket.socket:
        parts = self._parts
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._socket.sendall(b"AMQP\0\0\x09\x01")
        self._read_method()
        login = b"\0" + str(parts.username).encode() + b"\0" + str(parts.password).encode()
        start = long(b"") + short(b"PLAIN") + long(login) + short(b"en_US")
        self._call(0, (10, 11), start)
        _, tune = self._read_method()
        channels, self._frame_max, _ = struct.unpack(">HIH", tune)
        self._call(0, (10, 31), struct.pack(">HIH", channels, self._frame_max, 0))
        vhost = urllib.parse.unquote(parts.path[1:]).encode()
        self._call(0, (10, 40), short(vhost) + b"\0\0")
        self._read_method()
        for method, content in (((20, 10), b"\0"), ((85, 10), b"\0")):  # open, confirm.select
            self._call(1, method, content)
            self._read_method()
        return self._socket

    def _call(self, channel: int, method: tuple[int, int], content: bytes) -> None:
        payload = struct.pack(">HH", *method) + content
        self._socket.sendall(self._frame(METHOD, payload, channel))

    @staticmethod
    def _frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + END

    def _read_method(self) -> tuple[tuple[int, ...], bytes]:
        while True:
            kind, _, size = struct.unpack(">BHI", self._read(7))
            payload = self._read(size + 1)[:-1]
            if kind == METHOD:
                return struct.unpack(">HH", payload[:4]), payload[4:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise Refused("the broker closed the connection")
            data += more
        return data
