"""A point in time after which nobody waits any more."""

from __future__ import annotations

import time


class Deadline:
    """Counts down in `time.monotonic`, whatever happens to the wall clock."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float, at: float | None = None) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds if at is None else at

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline passed")
        return left

    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(seconds, min(self.at, time.monotonic() + seconds))

    def earlier_by(self, seconds: float) -> Deadline:
        return Deadline(self.seconds, self.at - seconds)
