"""The answers that wait for a thread, and the order in which they are written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable

from ...job_store.rows import Key
from .pace import Speeds
from .work import Fate, Fates, Item, Work

BATCH = 250
BATCH_BYTES = 4_000_000
STREAM = 5  # answers at once, from which on a thread waits for more, as large batches cost less
GATHERING_SECONDS = 0.05
MOST_OF_A_KIND = 2  # threads that run the same slow callback
MOST_ALONE = 50  # slow answers that wait in this process
MOST_AGAIN = 20  # retries, after which an answer is parked
BUSY_SECONDS = 0.5  # the longest wait of a slow answer while fast ones come


class Backlog:
    """The unsettled answers: those that are written together, and those that are written alone.

    The caller holds a lock. is_streaming: whether more may come soon, so that a thread waits.
    """

    def __init__(self, speeds: Speeds) -> None:
        self._speeds = speeds
        self._open: dict[str, Item] = {}  # all unsettled ones, by the job's uuid
        self._inbox: deque[Item] = deque()
        self._alone: deque[Item] = deque()
        self._waiting: dict[Key, list[Item]] = {}  # until their callback has run once, alone
        self._settled: Fates = []

    @property
    def has_room(self) -> bool:
        """Whether more may be added."""
        size = sum(item.size for item in self._inbox)
        return len(self._inbox) < BATCH and size < BATCH_BYTES

    @property
    def is_streaming(self) -> bool:
        return bool(self._inbox)

    @property
    def waited(self) -> float:
        """The longest time, in seconds, that an answer has waited; 0 if none waits."""
        now = time.monotonic()
        return max((now - each[0].since for each in (self._inbox, self._alone) if each), default=0)

    def add(self, items: Iterable[Item]) -> None:
        """Add items; an item waits for an earlier one of the same job, so that the first counts."""
        for item in items:
            first = self._open.setdefault(item.uuid, item)
            (self._inbox if first is item else first.followers).append(item)

    def add_again(self, items: Iterable[Item], culprit: str) -> None:
        """Add unfinished items of a thread again; the culprit and failed items run alone."""
        for item in items:
            if item.uuid == culprit or item.failure:
                item.alone = True
                self._alone.appendleft(item)
            else:
                self._inbox.appendleft(item)
            item.since = time.monotonic()

    def take_settled(self) -> Fates:
        """Return the items that were settled since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def in_hand(self) -> list[Item]:
        """Return all items that `take_settled` has not returned yet."""
        opened = [each for item in self._open.values() for each in (item, *item.followers)]
        return opened + [item for item, _ in self._settled]

    def forget(self) -> None:
        """Drop all items."""
        self._open.clear()
        self._inbox.clear()
        self._alone.clear()
        self._waiting.clear()
        self._settled.clear()

    def choose(self, running: Collection[Work], threads: int) -> Work | None:
        """Return the next work for a free thread, while `running` runs; None if there is none."""
        now = time.monotonic()
        slow = self._slow_turn(running, threads)
        if slow is not None and (not self._inbox or now - slow.since > BUSY_SECONDS):
            self._alone.remove(slow)
            return Work([slow], alone=True)
        few = STREAM <= len(self._inbox) < BATCH
        if self._inbox and not (few and now - self._inbox[0].since < GATHERING_SECONDS):
            count = min(BATCH, len(self._inbox))
            return Work([self._inbox.popleft() for _ in range(count)])
        return None

    def _slow_turn(self, running: Collection[Work], threads: int) -> Item | None:
        """Return an item that may run alone now; one thread stays free for fast items."""
        kinds = [work.items[0].key for work in running if work.alone]
        if not self._alone or len(kinds) >= max(1, threads - 1):
            return None
        free = (i for i in self._alone if i.key is None or kinds.count(i.key) < MOST_OF_A_KIND)
        return next(free, None)

    def sort(self, fates: Fates) -> None:
        """Settle the items that a thread has written, and add the others again."""
        for item, fate in reversed(fates):
            self._sort(item, fate)

    def _sort(self, item: Item, fate: Fate) -> None:
        if fate is Fate.AGAIN:
            item.again += 1
            fate = Fate.BUSY if item.again > MOST_AGAIN else fate
        if fate is Fate.LATER:
            self._postpone(item)
        elif fate is Fate.AGAIN:
            self._alone.append(item) if item.alone else self._inbox.appendleft(item)
        else:
            self._settle(item, fate)

    def _settle(self, item: Item, fate: Fate) -> None:
        self._settled.append((item, fate))
        self._open.pop(item.uuid, None)
        for follower in item.followers:
            if fate is Fate.BUSY:  # parked in their order
                self._settled.append((follower, fate))
            else:
                self.add([follower])

    def _postpone(self, item: Item) -> None:
        """Queue an item to be written alone, or after the first run of its callback, or park it."""
        if item.suspect:
            self._alone.append(item)
        elif self._speeds.is_fast(item.key):
            self._inbox.appendleft(item)
        elif item.key is not None and not self._speeds.is_known(item.key):
            if item.key in self._waiting:
                self._waiting[item.key].append(item)
            else:
                self._waiting[item.key] = []
                self._alone.appendleft(item)
        elif len(self._alone) < MOST_ALONE or item.delivery is None:
            self._alone.append(item)
        else:
            self._settle(item, Fate.BUSY)

    def release(self, key: Key | None) -> None:
        """Queue the items that waited for the first run of this callback."""
        for item in self._waiting.pop(key, ()) if key is not None else ():
            self._postpone(item)
