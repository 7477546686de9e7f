"""How much of the messages in hand is decoded at a time.

A body of a million small lists takes 100 MB as Python values, and the broker delivers one for each
worker. So where a service has much decoded, the next such message waits, as it came, until one of
them is settled. All others go on, also between two that have room.
"""

from typing import Any

import eventlet
from eventlet.event import Event
from eventlet.semaphore import Semaphore

MOST_WEIGHT = 200_000_000
LIGHT_BYTES = 1_000_000  # of a body that never waits
BYTES_PER_VALUE = 100  # of a value in a list or dictionary, once it is decoded: an estimate


class Room:
    """The room for decoded messages of one service. `enter` and `leave` each message once."""

    def __init__(self) -> None:
        self._taken = 0
        self._turnstile = Semaphore(1)  # the first to come is the first to enter
        self._left: Event | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether a message waits."""
        return bool(self._turnstile.locked())

    def enter(self, message: Any) -> bool:
        """Return when there is room for a message; tell whether it had to wait.

        One that is alone always has room.
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
        eventlet.sleep(0)  # others have their turn before it is decoded
        return has_waited

    def leave(self, message: Any) -> None:
        """Make room, if the message has taken any."""
        self._taken -= getattr(message, "weight", 0)
        message.weight = 0
        if self._left is not None:
            left, self._left = self._left, None
            left.send()


def weight_of(body: str | bytes) -> int:
    """Return about how many bytes a JSON text takes as Python values; 0 where that is little."""
    if len(body) < LIGHT_BYTES:
        return 0
    values = body.count(",") if isinstance(body, str) else body.count(b",")
    return len(body) + BYTES_PER_VALUE * values
