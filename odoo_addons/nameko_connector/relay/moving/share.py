"""What each service may have of a batch, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

DISPATCH_BATCH = 250
DISPATCH_BYTES = 4_000_000  # of a batch; one job may be larger

T = TypeVar("T", str, tuple[str, str])


class Turns(Generic[T]):
    """Remembers whose turn was last, so that the next one begins after it."""

    def __init__(self) -> None:
        self._last: T | None = None

    def of(self, names: Iterable[T]) -> list[T]:
        """Return the names in the order of their turns."""
        last = self._last
        return sorted(names, key=lambda name: (last is not None and name <= last, name))

    def end(self, name: T) -> None:
        """Note that this was the last turn."""
        self._last = name
