"""Threads that write answers, so that the relay's loop goes on whatever a callback does.

One thread is enough as long as callbacks are fast. Another is added, up to a few, while answers
wait because all are busy.

- What is fast is written together: up to 250 answers, or a second of callbacks, a transaction.
- A callback that has never run in this process runs alone first; one that is slow always does.
  At most `MOST_ALONE` of these are kept here; the rest is parked in the broker.
- One that usually is fast and now holds up others for `HOLD_SECONDS`: its session is ended, which
  undoes the transaction, and all are written again, it alone.
- One that runs alone for longer than the limit: its session is ended, and its job fails.
- A thread that does not come back is given up. Where there are many, the process must end.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable

import psycopg2

from ..job_store.events import GivenUp
from ..job_store.rows import Key
from .database import Database, end_session
from .pace import FAST_SECONDS, Speeds
from .work import Fate, Item, Run, Work
from .writing import Fates, Writing

_logger = logging.getLogger(__name__)
BATCH = 250
BATCH_BYTES = 4_000_000
STREAM = 5  # answers at once, from which on it is worth waiting for more: a large batch costs less
GATHERING_SECONDS = 0.05
MOST_WRITERS = 5
MOST_OF_A_KIND = 2  # threads that run the same slow callback
MOST_ALONE = 50  # slow answers that wait in this process
MOST_AGAIN = 20  # times in a row, after which an answer is parked
MOST_STUCK = 8  # threads that do not come back
BUSY_SECONDS = 0.5  # that something waits, before another thread is added
HOLD_SECONDS = 5.0  # that one callback may hold up others
CALLBACK_SECONDS = 600.0  # that a callback may take
IDLE_SECONDS = 1.0


class TooManyStuck(SystemExit):
    """So many callbacks do not return that this process must end; a supervisor starts another."""


class Writer(threading.Thread):
    """A thread with a database session of its own."""

    def __init__(self, writers: Writers, database: str) -> None:
        super().__init__(name="nameko-writer", daemon=True)
        self._writers, self._name_of_database = writers, database
        self.retired = False
        self.database: Database | None = None

    def run(self) -> None:
        try:
            self.database = Database(self._name_of_database, statement_seconds=0)
            writing = Writing(self.database, self._writers.speeds)
            while (work := self._writers.next_work(self)) is not None:
                self._write(writing, work)
            self.database.close()
        except Exception as error:  # noqa: BLE001  the main thread raises it
            self._writers.fail(self, error)

    def _write(self, writing: Writing, work: Work) -> None:
        try:
            fates = writing.write(work)
        except Exception as error:
            if not self.retired:
                raise
            _logger.info("A session that was ended: %s", error)
            fates = []
        self._writers.finish_work(self, work, fates)


class Writers:
    """The threads of one process, and what waits for them. Used by the relay's main thread."""

    def __init__(self, database: str, limit_seconds: float = CALLBACK_SECONDS) -> None:
        self.speeds = Speeds()
        self._database, self._limit = database, limit_seconds
        self._changed = threading.Condition()
        self._open: dict[str, Item] = {}  # by the job's uuid, all that is not settled
        self._inbox: deque[Item] = deque()
        self._alone: deque[Item] = deque()
        self._waiting: dict[Key, list[Item]] = {}  # until their kind has run once, alone
        self._threads: list[Writer] = []
        self._stuck: list[Writer] = []
        self._work: dict[Writer, Work] = {}
        self._settled: Fates = []
        self._error: Exception | None = None
        self._stopping = False
        self._waker, self._woken = socket.socketpair()  # closed when no thread has them any more
        self._waker.setblocking(False)
        self._woken.setblocking(False)

    # The main thread's side

    def fileno(self) -> int:
        """Readable when something is settled, for `select`."""
        return self._woken.fileno()

    @property
    def has_room(self) -> bool:
        """Whether more may be given."""
        with self._changed:
            size = sum(item.size for item in self._inbox)
            return len(self._inbox) < BATCH and size < BATCH_BYTES

    def give(self, items: Iterable[Item]) -> None:
        """Have these written."""
        with self._changed:
            for item in items:
                self._open_item(item)
            if not self._threads:
                self._add_thread()
            self._changed.notify()

    def _open_item(self, item: Item) -> None:
        """Take an item; behind one to the same job it waits, so that the first answer counts."""
        first = self._open.setdefault(item.uuid, item)
        (self._inbox if first is item else first.followers).append(item)

    def settled(self) -> Fates:
        """Return what was settled since the last call: DONE, DEAD or BUSY.

        :raises Exception: the database is lost
        """
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with self._changed:
            error, self._error = self._error, None
            settled, self._settled = self._settled, []
        if error is not None:
            raise error
        return settled

    def in_hand(self) -> list[Item]:
        """Return what was given and is not settled."""
        with self._changed:
            settled = [item for item, _ in self._settled]
            opened = [each for item in self._open.values() for each in (item, *item.followers)]
            return opened + settled

    def forget(self) -> None:
        """Leave all that was given; what is being written is written, but not settled."""
        with self._changed:
            self._open.clear()
            self._inbox.clear()
            self._alone.clear()
            self._waiting.clear()
            self._settled.clear()
            self._error = None
            for work in self._work.values():
                work.dropped = True

    def stop(self, seconds: float) -> None:
        """Have what was begun end within this time; what has not is undone."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        for thread in self._threads:
            if thread.is_alive():
                self._end_session(thread)

    @property
    def stuck(self) -> int:
        """How many threads have not come back."""
        return sum(thread.is_alive() for thread in (*self._threads, *self._stuck))

    def watch(self) -> None:
        """Look at what takes long; once a second is enough.

        :raises TooManyStuck: this process must end
        """
        now = time.monotonic()
        with self._changed:
            for writer, work in list(self._work.items()):
                self._look_at(writer, work, now)
            oldest = min((q[0].since for q in (self._inbox, self._alone) if q), default=now)
            is_behind = now - oldest > BUSY_SECONDS and len(self._work) >= len(self._threads)
            if is_behind and len(self._threads) < MOST_WRITERS:
                self._add_thread()
            self._stuck = [thread for thread in self._stuck if thread.is_alive()]
            if len(self._stuck) > MOST_STUCK:
                raise TooManyStuck(f"{len(self._stuck)} callbacks do not return")

    def _look_at(self, writer: Writer, work: Work, now: float) -> None:
        running = work.running
        if running and not work.noted and now - running.at > FAST_SECONDS * running.count:
            work.noted = True
            self.speeds.note(running.key, now - running.at)
            self._release(running.key)
        if now - work.started > self._limit:
            self._give_up(writer, work, running)
        elif running and len(work.items) > 1 and now - running.at > HOLD_SECONDS:
            _logger.info("%s takes long: others are written without it", running.key)
            self._take_back(writer, work, running.uuid)

    def _give_up(self, writer: Writer, work: Work, running: Run | None) -> None:
        for item in work.items if work.alone else ():
            item.key = running.key if running else item.key
            item.failure = GivenUp("slow", self._limit)
            _logger.warning("Job %s: %s does not return", item.uuid, item.key)
        self._take_back(writer, work, work.items[0].uuid)

    def _take_back(self, writer: Writer, work: Work, culprit: str) -> None:
        """End a thread's session, and have others write what it has."""
        for item in () if work.dropped else work.items:
            if item.uuid == culprit or item.failure:
                item.alone = True
                self._alone.appendleft(item)
            else:
                self._inbox.appendleft(item)
            item.since = time.monotonic()
        work.dropped = writer.retired = True
        self._work.pop(writer, None)
        self._threads.remove(writer)
        self._stuck.append(writer)
        self._end_session(writer)
        self._add_thread()

    def _end_session(self, writer: Writer) -> None:
        """Not here: the database may not answer."""
        if writer.database is not None and writer.database.pid:
            arguments = (self._database, writer.database.pid)
            threading.Thread(target=_try_to_end, args=arguments, daemon=True).start()

    def _add_thread(self) -> None:
        self._threads.append(Writer(self, self._database))
        self._threads[-1].start()

    # The threads' side

    def next_work(self, writer: Writer) -> Work | None:
        """Wait for something to write; None where the thread is to end."""
        with self._changed:
            while not (self._stopping or writer.retired):
                work = self._choose()
                if work is not None:
                    self._work[writer] = work
                    return work
                self._changed.wait(GATHERING_SECONDS if self._inbox else IDLE_SECONDS)
        return None

    def _choose(self) -> Work | None:
        now = time.monotonic()
        slow = self._slow_turn()
        if slow is not None and (not self._inbox or now - slow.since > BUSY_SECONDS):
            self._alone.remove(slow)
            return Work([slow], alone=True)
        few = STREAM <= len(self._inbox) < BATCH
        if self._inbox and not (few and now - self._inbox[0].since < GATHERING_SECONDS):
            count = min(BATCH, len(self._inbox))
            return Work([self._inbox.popleft() for _ in range(count)])
        return None

    def _slow_turn(self) -> Item | None:
        """Return what may run alone now: one thread is left for what is fast."""
        kinds = [work.items[0].key for work in self._work.values() if work.alone]
        if not self._alone or len(kinds) >= max(1, len(self._threads) - 1):
            return None
        free = (i for i in self._alone if i.key is None or kinds.count(i.key) < MOST_OF_A_KIND)
        return next(free, None)

    def finish_work(self, writer: Writer, work: Work, fates: Fates) -> None:
        """Take what became of a thread's work."""
        with self._changed:
            if self._work.get(writer) is work:
                del self._work[writer]
            if not work.dropped:
                for item, fate in reversed(fates):
                    self._sort(item, fate)
                if work.alone:
                    self._release(work.items[0].key)
            self._changed.notify_all()
            self._wake()

    def fail(self, writer: Writer, error: Exception) -> None:
        """Take the error that ended a thread."""
        with self._changed:
            self._work.pop(writer, None)
            if writer in self._threads:
                self._threads.remove(writer)
                self._error = error
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b".")

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
                self._open_item(follower)

    def _postpone(self, item: Item) -> None:
        """Have an item written alone, after another of its kind, or when it comes back."""
        if item.suspect:
            self._alone.append(item)
        elif self.speeds.is_fast(item.key):
            self._inbox.appendleft(item)
        elif item.key is not None and not self.speeds.is_known(item.key):
            if item.key in self._waiting:
                self._waiting[item.key].append(item)
            else:
                self._waiting[item.key] = []
                self._alone.appendleft(item)
        elif len(self._alone) < MOST_ALONE or item.delivery is None:
            self._alone.append(item)
        else:
            self._settle(item, Fate.BUSY)

    def _release(self, key: Key | None) -> None:
        """Sort what has waited for the first run of its kind."""
        for item in self._waiting.pop(key, ()) if key is not None else ():
            self._postpone(item)


def _try_to_end(database: str, pid: int) -> None:
    try:
        end_session(database, pid)
    except (psycopg2.Error, OSError) as error:
        _logger.info("A session could not be ended: %s", error)
