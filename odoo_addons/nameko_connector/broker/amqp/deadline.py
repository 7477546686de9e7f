"""A deadline: the time at which an operation must stop waiting."""

from __future__ import annotations

import time


class Deadline:
    """A point in time on the clock `time.monotonic`, which ignores changes of the system time."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float, at: float | None = None) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds if at is None else at

    def remaining(self) -> float:
        """Return the seconds that are left; raise TimeoutError if there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline passed")
        return left

    def passed(self) -> bool:
        return time.monotonic() >= self.at

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and one in `seconds` from now."""
        return Deadline(seconds, min(self.at, time.monotonic() + seconds))

    def earlier_by(self, seconds: float) -> Deadline:
        return Deadline(self.seconds, self.at - seconds)
