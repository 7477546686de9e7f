"""Start and watch the threads that write answers; abandon those that do not return."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterable

import psycopg2

from ...job_store.events import GivenUp
from ..database import Database, end_session
from .backlog import BUSY_SECONDS, GATHERING_SECONDS, Backlog
from .pace import FAST_SECONDS, Speeds
from .transactions import Writing
from .work import Fates, Item, Run, Work

_logger = logging.getLogger(__name__)
MOST_WRITERS = 5
MOST_STUCK = 8  # threads that do not return
HOLD_SECONDS = 5.0  # that one callback may block others
CALLBACK_SECONDS = 600.0  # that a callback may take
IDLE_SECONDS = 1.0


class TooManyStuck(SystemExit):
    """Too many callbacks do not return: the process must exit, and a supervisor restarts it."""


class Writer(threading.Thread):
    """A thread with its own database session."""

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
        except Exception as error:  # noqa: BLE001  `settled` raises it
            self._writers.fail(self, error)

    def _write(self, writing: Writing, work: Work) -> None:
        try:
            fates = writing.write_answers(work)
        except Exception as error:
            if not self.retired:
                raise
            _logger.info("A thread stops after its session was ended: %s", error)
            fates = []
        self._writers.finish_work(self, work, fates)


class Writers:
    """The writing threads of one process, and the answers that wait for them."""

    def __init__(self, database: str, limit_seconds: float = CALLBACK_SECONDS) -> None:
        self.speeds = Speeds()
        self._database, self._limit = database, limit_seconds
        self._changed = threading.Condition()
        self._backlog = Backlog(self.speeds)
        self._threads: list[Writer] = []
        self._stuck: list[Writer] = []
        self._work: dict[Writer, Work] = {}
        self._error: Exception | None = None
        self._stopping = False
        self._waker, self._woken = socket.socketpair()  # closed once no thread uses them
        self._waker.setblocking(False)
        self._woken.setblocking(False)

    # The main thread's side

    def fileno(self) -> int:
        """Return a file descriptor that is readable when an item is settled, for `select`."""
        return self._woken.fileno()

    @property
    def has_room(self) -> bool:
        """Whether more may be given."""
        with self._changed:
            return self._backlog.has_room

    def give(self, items: Iterable[Item]) -> None:
        """Pass items to the threads."""
        with self._changed:
            self._backlog.add(items)
            if not self._threads:
                self._add_thread()
            self._changed.notify()

    def settled(self) -> Fates:
        """Return the items settled since the last call, each with DONE, DEAD or BUSY.

        :raises Exception: a thread has failed, as the connection to the database is lost
        """
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with self._changed:
            error, self._error = self._error, None
            settled = self._backlog.take_settled()
        if error is not None:
            raise error
        return settled

    def in_hand(self) -> list[Item]:
        """Return the items that `settled` has not returned yet."""
        with self._changed:
            return self._backlog.in_hand()

    def forget(self) -> None:
        """Drop all items; those being written are still written, but not returned as settled."""
        with self._changed:
            self._backlog.forget()
            self._error = None
            for work in self._work.values():
                work.dropped = True

    def stop(self, seconds: float) -> None:
        """Stop the threads; after so many seconds, end their sessions, which rolls back."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        for thread in self._threads:
            if thread.is_alive():
                self._end_session(thread)

    def watch(self) -> None:
        """Check for slow callbacks, and add threads if needed; call it about once a second.

        :raises TooManyStuck: this process must exit
        """
        now = time.monotonic()
        with self._changed:
            for writer, work in list(self._work.items()):
                self._look_at(writer, work, now)
            is_busy = len(self._work) >= len(self._threads)
            is_behind = is_busy and self._backlog.waited > BUSY_SECONDS
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
            self._backlog.release(running.key)
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
        """Abandon a thread: end its session, and queue its items again."""
        self._backlog.add_again(() if work.dropped else work.items, culprit)
        work.dropped = writer.retired = True
        self._work.pop(writer, None)
        self._threads.remove(writer)
        self._stuck.append(writer)
        self._end_session(writer)
        self._add_thread()

    def _end_session(self, writer: Writer) -> None:
        """End the session in a separate thread, as the database may not answer."""
        if writer.database is not None and writer.database.pid:
            arguments = (self._database, writer.database.pid)
            threading.Thread(target=_try_to_end, args=arguments, daemon=True).start()

    def _add_thread(self) -> None:
        self._threads.append(Writer(self, self._database))
        self._threads[-1].start()

    # The threads' side

    def next_work(self, writer: Writer) -> Work | None:
        """Wait for work and return it; None if the thread must end."""
        with self._changed:
            while not (self._stopping or writer.retired):
                work = self._backlog.choose(self._work.values(), len(self._threads))
                if work is not None:
                    self._work[writer] = work
                    return work
                is_streaming = self._backlog.is_streaming
                self._changed.wait(GATHERING_SECONDS if is_streaming else IDLE_SECONDS)
        return None

    def finish_work(self, writer: Writer, work: Work, fates: Fates) -> None:
        """Process the outcome of a thread's work."""
        with self._changed:
            if self._work.get(writer) is work:
                del self._work[writer]
            if not work.dropped:
                self._backlog.sort(fates)
                if work.alone:
                    self._backlog.release(work.items[0].key)
            self._changed.notify_all()
            self.wake()

    def fail(self, writer: Writer, error: Exception) -> None:
        """Record the error that ended a thread."""
        with self._changed:
            self._work.pop(writer, None)
            if writer in self._threads:
                self._threads.remove(writer)
                self._error = error
            self.wake()

    def wake(self) -> None:
        """Make the file descriptor readable; safe in a signal handler."""
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b".")


def _try_to_end(database: str, pid: int) -> None:
    try:
        end_session(database, pid)
    except (psycopg2.Error, OSError) as error:
        _logger.info("A session could not be ended: %s", error)
