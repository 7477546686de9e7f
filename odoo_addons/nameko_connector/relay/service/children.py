"""The children of the service: forks of this process, each with the relay of one database."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

_logger = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1  # of linux/prctl.h
STOP_SECONDS = 40.0  # that a child may take to drain, before it is killed
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Child:
    """A running child. kill_at: when it is killed, after it was asked to stop."""

    pid: int
    kill_at: float | None = None


class Children:
    """The children by database. `run` is called in a new child, with the name of its database."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run
        self._children: dict[str, Child] = {}

    def __len__(self) -> int:
        return len(self._children)

    def __contains__(self, database: str) -> bool:
        return database in self._children

    def start(self, database: str) -> None:
        """Fork a child for a database.

        :raises OSError: the system has no room for another process
        """
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        parent = os.getpid()
        # The parent's handlers must not take a signal that is the child's.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = _fork()
            if pid == 0:
                _become_child(parent, lambda: self._run(database))
            self._children[database] = Child(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def pid(self, database: str) -> int:
        """Return the process id of a running child."""
        return self._children[database].pid

    def stop(self, database: str, seconds: float = STOP_SECONDS) -> None:
        """Ask a child to drain and end; kill it after so many seconds. Its work is not lost."""
        child = self._children.get(database)
        if child is None:
            return
        kill_at = time.monotonic() + seconds
        if child.kill_at is None:
            os.kill(child.pid, signal.SIGTERM)
        child.kill_at = kill_at if child.kill_at is None else min(kill_at, child.kill_at)

    def stop_all(self) -> None:
        """Ask all children to drain and end."""
        for database in self._children:
            self.stop(database)

    def ended(self) -> list[tuple[str, int, int]]:
        """Return the databases, pids and exit codes of the children that have ended.

        The code is 0 for a child that was asked to stop, and negative for a signal.
        """
        self._kill_late()
        ended = []
        for database, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                del self._children[database]
                code = os.waitstatus_to_exitcode(status)
                ended.append((database, pid, code if child.kill_at is None else 0))
        return ended

    def _kill_late(self) -> None:
        """Kill the children that do not end."""
        for database, child in self._children.items():
            if child.kill_at and time.monotonic() > child.kill_at:
                _logger.info("The relay of the database %s does not end: killed", database)
                os.kill(child.pid, signal.SIGKILL)
                child.kill_at = time.monotonic() + STOP_SECONDS


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # eventlet's, which has begun nothing
        return os.fork()


def _become_child(parent: int, run: Callable[[], None]) -> None:
    """Run in the new process, which ends when this is over or when the parent ends."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.set_wakeup_fd(-1)
        for number in (*SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if os.getppid() == parent:
            run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        _logger.exception("A relay has failed")
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
