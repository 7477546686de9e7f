"""How many requests of a batch may be on their way at once."""

from __future__ import annotations

FIRST = 2  # requests
FAST = 1 / 8  # of the timeout: a reply that takes no longer shows no queue worth minding
STEADY, QUEUED = 1.5, 2.5  # times the shortest wait: still growing, already too much


class Window:
    """Opens while replies come promptly, closes while requests queue up.

    So a service that takes a second for each request is not sent more than it can answer within
    their timeout, and a fast one never waits for the client.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self.size = min(FIRST, most)
        self._most = most
        self._fast = timeout * FAST
        self._shortest = timeout

    def answered(self, waited: float) -> None:
        """A reply took `waited` seconds."""
        self._shortest = min(self._shortest, waited)
        if waited < max(self._fast, STEADY * self._shortest):
            self.size = min(self._most, self.size + 1)
        elif waited > QUEUED * self._shortest:
            self.size = max(1, self.size - 1)
