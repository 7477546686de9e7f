"""The relay keeps what people see of many jobs at once: numbers, and groups of failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..job_store.monitoring import statistics
from ..tools import locks
from .database import Database

SECONDS = 2.0  # between two counts, while somebody looks
UNSEEN_SECONDS = 60.0  # while nobody does; also between two signs of life to open views
REST = 20  # times as long as a count takes, before the next one: 5 % of one core at most
LOCK_TIMEOUT = "100ms"  # that jobs wait for a row of these which somebody has locked
STATEMENT_TIMEOUT = "2s"  # that jobs wait for a statement
MERGE_SECONDS = 30.0  # between two looks for minutes that are over
COUNTS = ("nameko.job.count", 0)


class Counting:
    """One thing that is counted from time to time; the more there is to count, the more rarely."""

    def __init__(self, count: Callable[[bool], None]) -> None:
        self._count = count
        self._rest_until = self._count_at = 0.0

    def turn(self, is_seen: Callable[[], bool]) -> None:
        """Count, if it is time: soon while somebody looks, otherwise rarely."""
        now = time.monotonic()
        is_due = now >= self._count_at
        if now < self._rest_until or not (is_due or is_seen()):
            return
        try:
            self._count(is_due)
        finally:
            self._rest_until = now + REST * (time.monotonic() - now)
        if is_due:
            self._count_at = now + UNSEEN_SECONDS

    def hurry(self) -> None:
        """Count as soon as it may, whether somebody looks or not."""
        self._count_at = 0.0


class Statistics:
    """What the relay does for the overview, in transactions that wait for nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live, self._failures = Counting(self._count_live), Counting(self._count_failures)

    def count_live(self) -> None:
        """Count what has not ended."""
        self._live.turn(self._is_seen)

    def count_failures(self) -> None:
        """Count the groups of failures, and remind of them."""
        self._failures.turn(self._is_seen)

    def group_failures(self) -> None:
        """Put jobs that have failed into groups."""
        with self._transaction() as jobs:
            if jobs is not None and jobs.env["nameko.failure"]._group_new():
                self._failures.hurry()

    def merge(self) -> None:
        """Merge the numbers of the minutes that are over."""
        with self._transaction() as jobs:
            if jobs is not None:
                statistics.merge_minutes(jobs.env.cr)

    def finish(self) -> None:
        """Leave numbers that are right, where no relay goes on."""
        self.group_failures()
        for counting in (self._live, self._failures):
            counting.hurry()
            counting.turn(self._is_seen)

    def _count_live(self, is_due: bool) -> None:
        """Have open views reload where something has changed, or goes on; show that a relay lives.

        What waits or runs gets older: numbers that stay the same are news once a minute.
        """
        with self._transaction() as jobs:
            if jobs is None:
                return
            changed = statistics.count_live(jobs.env.cr)
            if changed or (is_due and statistics.is_busy(jobs.env.cr)):
                jobs.env["nameko.live"]._note([COUNTS])
            if is_due:
                jobs.env["nameko.live"]._send_sign_of_life(COUNTS[0])

    def _count_failures(self, is_due: bool) -> None:
        with self._transaction() as jobs:
            changed = jobs.env["nameko.failure"]._count() if jobs is not None else set()
            if changed:
                groups = [("nameko.failure", group) for group in changed]
                jobs.env["nameko.live"]._note([COUNTS, *groups])

    def _is_seen(self) -> bool:
        with self._database.jobs(read_committed=True) as jobs:
            return bool(jobs.env["nameko.live.viewer"]._listened())

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Return the jobs; None where another relay does such a thing now."""
        with self._database.jobs(read_committed=True, lock_timeout=LOCK_TIMEOUT) as jobs:
            jobs.env.cr.execute("SET LOCAL statement_timeout = %s", [STATEMENT_TIMEOUT])
            jobs.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.COUNTS])
            yield jobs if jobs.env.cr.fetchone()[0] else None
