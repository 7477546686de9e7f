"""A way to the broker that lets replies through slowly, once a test says so."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.broker.rabbitmq import HOST

SHARE = 20  # bytes at once
PAUSE = 0.05  # s between them


class Trickling:
    """One connection; `slow` is an event: from then on the broker's bytes come a few at a time."""

    def __init__(self, target_port: int) -> None:
        self.slow = threading.Event()
        self._over = threading.Event()
        self._target_port = target_port
        self._server = socket.create_server((HOST, 0))
        self.port = self._server.getsockname()[1]

    def run(self) -> None:
        client, _ = self._server.accept()
        target = socket.create_connection((HOST, self._target_port))
        with client, target:
            up = threading.Thread(target=self._pump, args=(client, target), daemon=True)
            up.start()
            self._pump(target, client, slows=True)
            up.join()

    def _pump(self, source: socket.socket, sink: socket.socket, *, slows: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                while slows and self.slow.is_set() and data and not self._over.is_set():
                    sink.sendall(data[:SHARE])
                    data = data[SHARE:]
                    self._over.wait(PAUSE)
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._over.set()
        self._server.close()


@contextmanager
def trickling(target_port: int) -> Iterator[Trickling]:
    made = Trickling(target_port)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.end()
    thread.join(10)
