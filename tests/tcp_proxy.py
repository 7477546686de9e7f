"""A TCP proxy in a thread, which can break connections; a subclass can change what it forwards."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from stack.ports import reserve
from tests.processes import HOST

SHARE = 20  # bytes at once
PAUSE = 0.05  # s between them
Pump = Callable[[socket.socket, socket.socket], None]


class TcpProxy:
    """Forwards a port of 127.0.0.1 to another; while it is cut, connections are refused."""

    def __init__(self, target_port: int) -> None:
        self._target = (HOST, target_port)
        self.port = reserve()
        self._connections: set[socket.socket] = set()
        self.restore()

    def restore(self) -> None:
        """Listen, and forward the data of all connections."""
        self._listener = socket.create_server((HOST, self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Stop listening and break all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._start(self._to_server, client, server)
                self._start(self._to_client, server, client)

    def _start(self, pump: Pump, source: socket.socket, sink: socket.socket) -> None:
        self._connections.add(source)

        def run() -> None:
            with suppress(OSError):
                pump(source, sink)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)
            self._connections.discard(source)
            source.close()

        threading.Thread(target=run, daemon=True).start()

    def _to_server(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward what a client sends until it closes the connection."""
        _forward(source, sink)

    def _to_client(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward what the server sends until it closes the connection."""
        _forward(source, sink)


def _forward(source: socket.socket, sink: socket.socket) -> None:
    while data := source.recv(65536):
        sink.sendall(data)


class TricklingProxy(TcpProxy):
    """A proxy that, once `slow` is set, forwards the server's data a few bytes at a time."""

    def __init__(self, target_port: int) -> None:
        self.slow, self._over = threading.Event(), threading.Event()
        super().__init__(target_port)

    def cut(self) -> None:
        self._over.set()
        super().cut()

    def _to_client(self, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            while self.slow.is_set() and data and not self._over.is_set():
                sink.sendall(data[:SHARE])
                data = data[SHARE:]
                self._over.wait(PAUSE)
            sink.sendall(data)
