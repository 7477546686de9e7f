"""A py-amqp connection with a deadline for everything that it reads and writes.

py-amqp has timeouts for single socket operations only. Here the transport has one deadline for all
of them, so neither a frozen broker nor one that sends byte by byte can block a caller for longer.

Only this module and `frames` rely on py-amqp's internals.
tests/broker/messages/test_py_amqp.py fails if a new version changes them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Any

import amqp
from amqp import spec
from amqp.transport import TCPTransport

from .config import BrokerConfig
from .connecting import BROKER_LOST, resolve
from .deadline import Deadline
from .frames import FrameReader

_logger = logging.getLogger(__name__)
TESTED_VERSION = "5.4."  # of py-amqp
if not amqp.__version__.startswith(TESTED_VERSION):
    _logger.warning(
        "py-amqp %s is not the version that this addon was tested with (%s*): install that one if "
        "the message broker cannot be reached.",
        amqp.__version__,
        TESTED_VERSION,
    )

READ_SIZE = 65536  # bytes
CLOSING_SECONDS = 0.1  # for writing connection.close
FRAME_HEADER = Struct(">BHI")  # type, channel, size of the payload
FRAME_END = 0xCE
SOCKET_OPTIONS = {
    socket.TCP_NODELAY: 1,
    # Detect a vanished peer by unacknowledged data and, while idle, by keepalive probes.
    socket.TCP_USER_TIMEOUT: 10_000,  # ms
    socket.TCP_KEEPIDLE: 10,  # s
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
}


class DeadlineTransport(TCPTransport):
    """The socket of one connection, plain or TLS.

    It reads in large pieces. If a deadline passes in the middle of a frame, no data is lost.
    """

    def __init__(self, config: BrokerConfig, deadline: Deadline) -> None:
        super().__init__("", socket_settings=SOCKET_OPTIONS)
        self.host, self.port = config.host, config.port
        self.tls = tls_context(config) if config.tls else None
        self.deadline = deadline
        self._buffer = bytearray()
        self._held: list[bytes] | None = None
        self._renewal: float | None = None  # s

    def _connect(self, host: str, port: int, timeout: float | None) -> None:
        addresses = resolve(host, port, self.deadline)
        while addresses:
            share = self.deadline.remaining() / len(addresses)
            family, kind, protocol, _, address = addresses.pop(0)
            self.sock = socket.socket(family, kind, protocol)
            self.sock.settimeout(share)
            try:
                return self.sock.connect(address)
            except OSError:
                self.sock.close()
                if not addresses:
                    raise
        return None

    def _get_tcp_socket_defaults(self, sock: socket.socket) -> dict[int, int]:
        """Return none: py-amqp would set TCP_MAXSEG again, and the kernel refuses some values."""
        return {}

    def _setup_transport(self) -> None:
        if self.tls is not None:
            self.sock.settimeout(self.deadline.remaining())
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.host)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Collect what the block writes, and send it at once at the end."""
        self._held = []
        try:
            yield
        finally:
            data, self._held = b"".join(self._held), None
        self._write(data)

    @contextmanager
    def renewed(self, seconds: float) -> Iterator[None]:
        """Restart the deadline, of `seconds`, each time the peer accepts some bytes."""
        self._renewal = seconds
        try:
            yield
        finally:
            self._renewal = None

    def _write(self, data: Any) -> None:
        if self._held is not None:
            self._held.append(bytes(data))
            return
        unsent = memoryview(data)
        while unsent:
            self.sock.settimeout(self.deadline.remaining())
            unsent = unsent[self.sock.send(unsent) :]
            if self._renewal is not None:
                self.deadline = Deadline(self._renewal)

    def read_frame(self, unpack: Any = None) -> tuple[int, int, bytes]:
        """Wait for the next frame; return its type, channel and payload."""
        while True:
            frame = self.take_frame()
            if frame is not None:
                return frame
            self.sock.settimeout(self.deadline.remaining())
            self._receive()

    def take_frame(self) -> tuple[int, int, bytes] | None:
        """Return a frame that has been received completely, or None."""
        buffer = self._buffer
        if len(buffer) < FRAME_HEADER.size:
            return None
        kind, channel, size = FRAME_HEADER.unpack_from(buffer)
        end = FRAME_HEADER.size + size
        if len(buffer) <= end:
            return None
        if buffer[end] != FRAME_END:
            raise amqp.UnexpectedFrame(f"frame ends with {buffer[end]:#04x}")
        payload = bytes(buffer[FRAME_HEADER.size : end])
        del buffer[: end + 1]
        return kind, channel, payload

    def _receive(self) -> None:
        received = self.sock.recv(READ_SIZE)
        if not received:
            raise ConnectionResetError("the broker closed the connection")
        self._buffer += received

    def poll(self) -> bool:
        """Receive without waiting; return whether data had arrived. Raise OSError if it closed."""
        self.sock.settimeout(0)
        try:
            self._receive()
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        return True

    def abandon(self) -> None:
        """Close only this process's copy of the socket, which the parent also has after a fork."""
        self.connected = False
        if self.sock is not None:
            self.sock.close()


class DeadlineConnection(amqp.Connection):
    """An AMQP connection over a DeadlineTransport."""

    def __init__(self, config: BrokerConfig, deadline: Deadline, heartbeat: float) -> None:
        self._config = config
        self._deadline = deadline
        super().__init__(
            userid=config.user,
            password=config.password,
            login_method="PLAIN",
            virtual_host=config.virtual_host,
            heartbeat=heartbeat,
            client_properties={
                "connection_name": "nameko_connector",
                "product": "nameko_connector",
            },
            frame_handler=self._frame_reader,
        )

    def _frame_reader(self, connection: Any, callback: Any) -> FrameReader:
        return FrameReader(connection, callback, self._config.max_message_bytes)

    def channel(self, channel_id: int | None = None, callback: Any = None) -> Any:
        """Open a channel whose messages keep their bodies as bytes."""
        channel = super().channel(channel_id, callback)
        channel.auto_decode = False  # the sender could choose any codec
        return channel

    def Transport(self, *args: Any, **kwargs: Any) -> DeadlineTransport:  # noqa: N802 (py-amqp's)
        return DeadlineTransport(self._config, self._deadline)

    @property
    def transport(self) -> DeadlineTransport:
        """The transport of an open connection; py-amqp's own property would reopen a closed one."""
        if self._transport is None:
            raise ConnectionResetError("the connection is closed")
        return self._transport

    @transport.setter
    def transport(self, transport: DeadlineTransport) -> None:
        self._transport = transport

    def drain_events(self, timeout: float | None = None) -> None:
        """Read one method and handle it; raise TimeoutError at the transport's deadline."""
        read_frame, handle = self.transport.read_frame, self.on_inbound_frame
        while not handle(read_frame()):
            pass

    def drain_arrived(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Handle what has arrived, without waiting; stop early once `is_enough` returns True."""
        transport = self.transport
        while not is_enough():  # frames may be buffered already
            frame = transport.take_frame()
            if frame is not None:
                self.on_inbound_frame(frame)
            elif not transport.poll():
                return

    def close_at_once(self) -> None:
        """Send connection.close, so that the broker deletes exclusive queues; do not wait."""
        with contextlib.suppress(*BROKER_LOST):
            self.transport.deadline = Deadline(CLOSING_SECONDS)
            self.send_method(spec.Connection.Close, "BsBB", (0, "", 0, 0))
        self.discard()

    def discard(self) -> None:
        """Close the socket without AMQP's closing handshake."""
        with contextlib.suppress(*BROKER_LOST):
            self.collect()

    def abandon(self) -> None:
        """Drop the connection in a forked child without affecting the parent's."""
        if self._transport is not None:
            self._transport.abandon()


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """Return a context that verifies the broker's certificate; with the client's, if configured."""
    context = ssl.create_default_context(cafile=config.ca_file or None)
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file or None)
    return context
