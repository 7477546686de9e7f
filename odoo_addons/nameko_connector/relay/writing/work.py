"""The values that the main loop and the writing threads exchange."""

from __future__ import annotations

import enum
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ...broker.jobs.reply import Delivery
from ...job_store.events import Event, GivenUp
from ...job_store.rows import Key


class Fate(enum.Enum):
    """The outcome of an answer after a thread has processed it."""

    DONE = enum.auto()  # written, or dropped: acknowledge it
    DEAD = enum.auto()  # it belongs to no job, or is invalid: dead-letter it
    BUSY = enum.auto()  # its job or record is locked: park it
    AGAIN = enum.auto()  # write it in another transaction
    LATER = enum.auto()  # do not write it together with others


@dataclass(eq=False)
class Item:
    """An answer that this process holds. Times are `time.monotonic`.

    delivery: None for an event without a message; since: when it began to wait for a thread;
    taken, leased: when it arrived, and when its job's deadline was last extended; marked: the row
    counts this try; suspect: a process may have crashed while writing it; failure: the error that
    is written instead; followers: later answers to the same job.
    """

    event: Event
    delivery: Delivery | None = None
    since: float = field(default_factory=time.monotonic)
    taken: float = field(default_factory=time.monotonic)
    leased: float = 0.0
    key: Key | None = None
    again: int = 0
    alone: bool = False
    marked: bool = False
    suspect: bool = False
    failure: Exception | GivenUp | None = None
    followers: list[Item] = field(default_factory=list)

    @property
    def uuid(self) -> str:
        return self.event.uuid

    @property
    def may_have_been_tried(self) -> bool:
        """Whether a process may have crashed while writing it."""
        return self.delivery is None or self.delivery.redelivered

    @property
    def size(self) -> int:
        return self.delivery.size if self.delivery else 0


Fates = list[tuple[Item, Fate]]


@dataclass(frozen=True)
class Run:
    """A running callback, or `count` fields written at once, since `at` (time.monotonic)."""

    uuid: str
    key: Key | None
    count: int
    at: float


class Work:
    """The items that a thread writes at a time.

    alone: one item, in its own transaction; running: the current callback; noted: it was recorded
    as slow while it still runs; dropped: its outcome is ignored.
    """

    def __init__(self, items: Sequence[Item], *, alone: bool = False) -> None:
        self.items = list(items)
        self.alone = alone
        self.started = time.monotonic()
        self.running: Run | None = None
        self.noted = False
        self.dropped = False
        self._by_uuid = {item.uuid: item for item in self.items}

    def is_marked(self, uuid: str) -> bool:
        return self._by_uuid[uuid].marked

    def suspect(self, uuid: str) -> None:
        for item in self.of({uuid}):
            item.suspect = True

    def of(self, uuids: Collection[str]) -> list[Item]:
        """Return the items that answer these jobs."""
        return [item for item in self.items if item.uuid in uuids]
