"""Track the unsettled deliveries of a channel, and acknowledge them with few acks."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from .reply import Delivery


class Unsettled:
    """The unsettled deliveries in order of arrival.

    bytes: the size of their bodies, without those that are being moved.
    """

    def __init__(self) -> None:
        self._bytes_of: dict[int, int] = {}  # by tag
        self._leaving: set[int] = set()  # tags that are being moved to another queue
        self.bytes = 0

    def add(self, delivery: Delivery) -> None:
        self._bytes_of[delivery.tag] = len(delivery.body or b"")
        self.bytes += self._bytes_of[delivery.tag]

    def open(self, deliveries: Iterable[Delivery]) -> dict[int, Delivery]:
        """Return, by tag, those that are neither settled nor being moved."""
        return {
            each.tag: each
            for each in deliveries
            if each.tag in self._bytes_of and each.tag not in self._leaving
        }

    def leave(self, tags: Iterable[int]) -> None:
        """Note that these are being moved."""
        for tag in tags:
            self._leaving.add(tag)
            self.bytes -= self._bytes_of[tag]
            self._bytes_of[tag] = 0

    def stay(self, delivery: Delivery) -> None:
        """Note that this one could not be moved."""
        self._leaving.discard(delivery.tag)
        self.add(delivery)

    def settle(self, tags: Iterable[int]) -> None:
        """Forget these."""
        for tag in tags:
            self._leaving.discard(tag)
            self.bytes -= self._bytes_of.pop(tag)

    def acks(self, tags: Iterable[int]) -> list[tuple[int, bool]]:
        """Settle these; return the tags to acknowledge, each alone or with all before it.

        The broker closes the channel if a tag is acknowledged twice. `multiple` acknowledges all
        deliveries up to a tag, so it is used only if all of these are in `tags`.
        """
        wanted = set(tags)
        oldest = list(takewhile(wanted.__contains__, self._bytes_of))
        self.settle(wanted)
        alone = sorted(wanted.difference(oldest))
        return [(tag, True) for tag in oldest[-1:]] + [(tag, False) for tag in alone]
