"""The news for open views: once a second, what has changed since."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..job_store.waiting import FINISHED
from ..models.nameko_live import NEW, collected
from .database import Database

FORGET_SECONDS = 60.0  # between two looks for old messages


class Live:
    """Sends what this process has changed, and that there are new jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_new = True  # there may be some that were made while no relay ran
        self._forget_at = 0.0

    def hear(self, payloads: Iterable[str]) -> None:
        """Take the notifications of transactions that have made jobs."""
        self._has_new |= any(not payload.startswith(FINISHED) for payload in payloads)

    def turn(self) -> None:
        """Send it, if somebody looks."""
        changed = collected(self._database.name)
        if self._has_new:
            changed.add(("nameko.job", NEW))
        self._has_new = False
        if changed:
            with self._database.jobs() as jobs:
                jobs.env["nameko.live"]._send(changed)
            self._forget_old()

    def _forget_old(self) -> None:
        now = time.monotonic()
        if now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            with self._database.jobs(read_committed=True) as jobs:
                jobs.env["nameko.live"]._forget_old()
