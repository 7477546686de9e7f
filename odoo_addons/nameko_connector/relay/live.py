"""The news for open views: once a second, what has changed since."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..job_store.rows import created_after
from ..job_store.waiting import FINISHED
from ..models.nameko_live import collected
from .database import Database

FORGET_SECONDS = 60.0  # between two looks for old messages
UNCOMMITTED = 500  # ids: a transaction may be committed after others with higher ones


class Live:
    """Sends what this process has changed, and which jobs others have made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_new = True  # there may be some that were made while no relay ran
        self._newest = 0  # id of a job
        self._forget_at = 0.0

    def hear(self, payloads: Iterable[str]) -> None:
        """Take the notifications of transactions that have made jobs."""
        self._has_new |= any(not payload.startswith(FINISHED) for payload in payloads)

    def turn(self) -> None:
        """Send it, if somebody looks."""
        changed = collected(self._database.name)
        if not (changed or self._has_new):
            return
        has_new, self._has_new = self._has_new, False
        with self._database.jobs(read_committed=True) as jobs:
            if not jobs.env["nameko.live.viewer"]._is_anybody_there():
                return
            if has_new:
                changed |= self._created(jobs.env.cr)
            jobs.env["nameko.live"]._send(changed)
            if self._is_time_to_forget():
                jobs.env["nameko.live"]._forget_old()

    def _created(self, cr: Any) -> set[tuple[str, int]]:
        """Return the newest jobs, and the records that they are for."""
        self._newest, changed = created_after(cr, self._newest - UNCOMMITTED)
        return changed

    def _is_time_to_forget(self) -> bool:
        now = time.monotonic()
        is_time = now >= self._forget_at
        if is_time:
            self._forget_at = now + FORGET_SECONDS
        return is_time
