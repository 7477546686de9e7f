"""The addresses of a host, by a deadline."""

from __future__ import annotations

import socket
import threading
from typing import Any

from .deadline import Deadline


def resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """As socket.getaddrinfo, which knows no timeout: a thread waits for it, for ever if need be."""
    found: list[Any] = []
    failures: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError(f"no address for {host} in time")
    return found
