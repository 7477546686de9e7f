"""Measure how long callbacks take, to decide which answers may share a transaction."""

from __future__ import annotations

import math
import threading
import time
from collections import deque

from ...job_store.events import Pace
from ...job_store.rows import Key, Row
from .work import Run, Work

FAST_SECONDS = 0.1  # a slower callback runs in its own transaction
TOGETHER_SECONDS = 1.0  # of callbacks in one transaction
LAST_RUNS = 8  # of a callback, that are taken into account
RUNS_PER_EXCEPTION = 4  # one slow run among so many is ignored


class Speeds:
    """Records which callbacks were slow in their last runs. Thread-safe."""

    def __init__(self) -> None:
        self._runs: dict[Key, deque[bool]] = {}  # whether each was slow, the last at the end
        self._lock = threading.Lock()

    def is_known(self, key: Key | None) -> bool:
        """Return whether the callback has run in this process; True for None."""
        return key is None or key in self._runs

    def is_fast(self, key: Key | None) -> bool:
        """Return whether it has run, and few of its last runs were slow; True for None."""
        if key is None:
            return True
        with self._lock:
            runs = self._runs.get(key, ())
            return len(runs) > 0 and sum(runs) <= len(runs) // RUNS_PER_EXCEPTION

    def note(self, key: Key | None, seconds: float) -> None:
        """Record a run, which may still be going on."""
        if key is not None:
            with self._lock:
                runs = self._runs.setdefault(key, deque(maxlen=LAST_RUNS))
                runs.append(seconds > FAST_SECONDS)


class Turn(Pace):
    """Admits only fast callbacks to a shared transaction, for TOGETHER_SECONDS at most."""

    def __init__(self, work: Work, speeds: Speeds) -> None:
        self._work = work
        self._speeds = speeds
        self._until = math.inf  # time.monotonic, from the first callback on

    def admits(self, row: Row, key: Key | None) -> bool:
        if row.write_tries and not self._work.is_marked(row.uuid):
            self._work.suspect(row.uuid)
            return False
        return self._work.alone or self._speeds.is_fast(key)

    def begins(self, uuid: str, key: Key | None, count: int) -> None:
        self._until = min(self._until, time.monotonic() + TOGETHER_SECONDS)
        self._work.noted = False
        self._work.running = Run(uuid, key, count, time.monotonic())

    def ends(self) -> None:
        running, self._work.running = self._work.running, None
        if running and not self._work.noted:
            self._speeds.note(running.key, (time.monotonic() - running.at) / running.count)

    def is_over(self) -> bool:
        return not self._work.alone and time.monotonic() > self._until
