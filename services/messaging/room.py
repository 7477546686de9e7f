"""Limits the memory that decoded messages take at a time.

A body of a million small lists takes 100 MB as Python values, and the broker delivers one for each
worker. So while a service has much decoded, the next large message stays encoded until one of the
others is settled. Small messages never wait.
"""

from typing import Any

import eventlet
from eventlet.event import Event
from eventlet.semaphore import Semaphore

MOST_WEIGHT = 200_000_000
LIGHT_BYTES = 1_000_000  # smaller bodies never wait
BYTES_PER_VALUE = 100  # of a value in a list or dictionary, once it is decoded: an estimate


class Room:
    """The room for decoded messages of one service. Call `enter` and `leave` once for each."""

    def __init__(self) -> None:
        self._taken = 0
        self._turnstile = Semaphore(1)  # first come, first served
        self._left: Event | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether a message waits."""
        return bool(self._turnstile.locked())

    def enter(self, message: Any) -> bool:
        """Wait until there is room for a message; return whether it had to wait.

        A message that is alone always has room.
        """
        weight = weight_of(message.body or b"")
        if not weight:
            return False
        has_waited = self.is_awaited
        with self._turnstile:
            while self._taken and self._taken + weight > MOST_WEIGHT:
                has_waited = True
                self._left = Event()
                self._left.wait()
            self._taken += weight
        message.weight = weight
        eventlet.sleep(0)  # let other greenlets run before it is decoded
        return has_waited

    def leave(self, message: Any) -> None:
        """Release the room that the message has taken, if any."""
        self._taken -= getattr(message, "weight", 0)
        message.weight = 0
        if self._left is not None:
            left, self._left = self._left, None
            left.send()


def weight_of(body: str | bytes) -> int:
    """Estimate the bytes that a JSON text takes as Python values; 0 for a small text."""
    if len(body) < LIGHT_BYTES:
        return 0
    values = body.count(",") if isinstance(body, str) else body.count(b",")
    return len(body) + BYTES_PER_VALUE * values
