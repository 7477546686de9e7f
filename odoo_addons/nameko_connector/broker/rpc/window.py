"""The number of requests of a batch that may wait for a reply at the same time."""

from __future__ import annotations

FIRST = 2  # requests
FAST = 1 / 8  # of the timeout: a reply within this time does not indicate a queue
STEADY, QUEUED = 1.5, 2.5  # times the shortest wait: grow below the first, shrink above the second


class Window:
    """A window that grows while replies come fast, and shrinks while requests queue up.

    So a slow service does not get more requests than it can answer within their timeout, and a fast
    service does not wait for the client.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self.size = min(FIRST, most)
        self._most = most
        self._fast = timeout * FAST
        self._shortest = timeout

    def answered(self, waited: float) -> None:
        """Adjust the size after a reply that took `waited` seconds."""
        self._shortest = min(self._shortest, waited)
        if waited < max(self._fast, STEADY * self._shortest):
            self.size = min(self._most, self.size + 1)
        elif waited > QUEUED * self._shortest:
            self.size = max(1, self.size - 1)
