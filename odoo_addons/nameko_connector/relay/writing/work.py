"""Answers on their way through the threads that write them."""

from __future__ import annotations

import enum
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ...broker.jobs.reply import Delivery
from ...job_store.events import Event, GivenUp
from ...job_store.rows import Key


class Fate(enum.Enum):
    """What becomes of an answer that a thread has had."""

    DONE = enum.auto()  # written, or dropped: acknowledge it
    DEAD = enum.auto()  # it names no job, or cannot be read: a dead letter
    BUSY = enum.auto()  # what it needs is locked: park it
    AGAIN = enum.auto()  # to be written in the next transaction
    LATER = enum.auto()  # not to be written together with others


@dataclass(eq=False)
class Item:
    """An answer in this process's hands.

    delivery: None for what the relay has found out by itself; since: when it began to wait for a
    thread; taken, leased: when it came, and when its job was last let live longer; marked: the row
    says that it is being tried; suspect: a process has ended while it was tried; failure: what is
    written in its place; followers: later answers to the same job.
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
        """Whether a process may have ended while it was tried."""
        return self.delivery is None or self.delivery.redelivered

    @property
    def size(self) -> int:
        return self.delivery.size if self.delivery else 0


Fates = list[tuple[Item, Fate]]


@dataclass(frozen=True)
class Run:
    """A callback that runs, or several written at once, since `at` (time.monotonic)."""

    uuid: str
    key: Key | None
    count: int
    at: float


class Work:
    """What a thread writes at a time.

    alone: one item, in a transaction of its own; running: what runs, if something does; noted:
    that it is slow, before its end; dropped: nobody waits for its outcome any more.
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
