"""Update the overview's statistics and the groups of failures in the relay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..job_store.monitoring import statistics
from ..tools import locks
from .database import Database

SECONDS = 2.0  # between two counts while a live view is open
UNSEEN_SECONDS = 60.0  # while none is open; also between two signs of life to open views
REST = 20  # times the duration of a count, to wait before the next one: 5 % of one core
LOCK_TIMEOUT = "100ms"  # for a locked row
STATEMENT_TIMEOUT = "2s"  # as jobs wait meanwhile
MERGE_SECONDS = 30.0  # between two merges of past minutes
COUNTS = ("nameko.job.count", 0)


class Counting:
    """A periodic count; the longer it takes, the less often it runs."""

    def __init__(self, count: Callable[[bool], None]) -> None:
        self._count = count
        self._rest_until = self._count_at = 0.0

    def turn(self, is_seen: Callable[[], bool]) -> None:
        """Count if due: often while a live view is open, otherwise every UNSEEN_SECONDS."""
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
        """Make the next count due now, even if no live view is open."""
        self._count_at = 0.0


class Statistics:
    """Updates the statistics, in transactions that do not wait for locks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live, self._failures = Counting(self._count_live), Counting(self._count_failures)

    def count_live(self) -> None:
        """Count the jobs that have not ended."""
        self._live.turn(self._is_seen)

    def count_failures(self) -> None:
        """Count the jobs in the groups of failures, and update the activities."""
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
        """Update all numbers now, as this process ends its work."""
        self.group_failures()
        for counting in (self._live, self._failures):
            counting.hurry()
            counting.turn(self._is_seen)

    def _count_live(self, is_due: bool) -> None:
        """Count unfinished jobs; make open views reload after changes; send a sign of life.

        Without changes, views reload once a minute if jobs wait or run, as these get older.
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
        """Yield the model `nameko.job`; None if another relay is updating statistics."""
        with self._database.jobs(read_committed=True, lock_timeout=LOCK_TIMEOUT) as jobs:
            jobs.env.cr.execute("SET LOCAL statement_timeout = %s", [STATEMENT_TIMEOUT])
            jobs.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.COUNTS])
            yield jobs if jobs.env.cr.fetchone()[0] else None
