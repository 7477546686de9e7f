"""Free TCP ports, reserved against other checkouts for as long as this process lives."""

import fcntl
import random
import socket
from collections.abc import Iterator
from typing import TextIO

from .layout import CACHE
from .steps import StackError

# Below the kernel's ephemeral range: no outgoing connection takes one of these by chance.
RANGE = range(20000, 30000)
TRIES = 200

_held: list[TextIO] = []


def reserve(preferred: int | None = None) -> int:
    """Return a port that nothing listens on and that no other stack has reserved."""
    for port in _candidates(preferred):
        if _lock(port) and _is_free(port):
            return port
    raise StackError("no free TCP port was found between 20000 and 29999.")


def _candidates(preferred: int | None) -> Iterator[int]:
    if preferred:
        yield preferred
    yield from random.sample(RANGE, TRIES)


def _lock(port: int) -> bool:
    folder = CACHE / "ports"
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / str(port)).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return False
    _held.append(handle)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  a probe: nothing listens
        except OSError:
            return False
    return True
