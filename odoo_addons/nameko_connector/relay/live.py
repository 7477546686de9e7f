"""Notify open views, each at most once a second, that the data they show has changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..job_store.rows import created_after
from ..job_store.waiting.predecessors import FINISHED
from ..models.monitoring.nameko_live import Changed, collected
from .database import Database

TURN_SECONDS = 0.1  # between two checks for changes
SECONDS = 1.0  # between two messages to a channel, and two reads of the listeners
BROWSERS_AT_ONCE = 20  # per turn; more only if one channel has more
FORGET_SECONDS = 10.0  # between two deletions of old messages
UNCOMMITTED = 500  # ids: a transaction may commit after others with higher ids


class Live:
    """Notifies views of changes by this process, and of new jobs from other processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listened: dict[str, int] = {}  # channels with their number of browsers, as read last
        self._look_at = 0.0
        self._changed: set[Changed] = set()  # since the last look
        self._has_missed = False  # all views have to reload
        self._has_new = True  # there may be jobs that were made while no relay ran
        self._newest = 0  # id of a job
        self._waiting: dict[str, None] = {}  # channels to notify, the longest waiting first
        self._sent_at: dict[str, float] = {}  # when channels had their last message
        self._forget_at = 0.0

    def hear(self, payloads: Iterable[str]) -> None:
        """Note from PostgreSQL's notifications that there are new jobs."""
        self._has_new |= any(not payload.startswith(FINISHED) for payload in payloads)

    def catch_up(self) -> None:
        """Make all views reload: they may have missed changes, for example of a killed relay."""
        self._has_missed = True

    def turn(self) -> None:
        """Notify channels with changes that had no message in the last second."""
        changed = collected(self._database.name)
        self._changed |= changed
        now = time.monotonic()
        has_news = self._has_new or self._has_missed or bool(self._changed)
        looks = now >= self._look_at and has_news
        if not looks and not (changed and self._listened) and not self._due(now):
            return
        try:
            with self._database.jobs(read_committed=True) as jobs:
                jobs.env.cr.execute("SET LOCAL synchronous_commit TO off")  # soon is enough
                self._add(jobs.env, changed)
                if looks:
                    self._look_at = now + SECONDS
                    self._look(jobs.env, now)
                self._send(jobs.env, now)
        except BaseException:
            self.catch_up()
            raise

    def finish(self) -> None:
        """Send all messages now, as this process ends its work."""
        self._look_at = 0.0
        self.turn()
        while self._waiting:
            self._sent_at.clear()
            self.turn()

    @property
    def seconds_left(self) -> float:
        """The seconds until the next turn."""
        waiting = (self._sent_at.get(channel, 0.0) + SECONDS for channel in self._waiting)
        return max(TURN_SECONDS, min(waiting, default=float("inf")) - time.monotonic())

    def _add(self, env: Any, changed: set[Changed]) -> None:
        self._wait(env["nameko.live"]._channels_of(changed, self._listened))

    def _wait(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self._waiting.setdefault(channel)

    def _look(self, env: Any, now: float) -> None:
        """Read the channels with listeners, and the new jobs.

        New listeners get a message for changes since the last read.
        """
        before = self._listened
        self._listened = env["nameko.live.viewer"]._listened()
        begun = self._listened.keys() - before.keys()
        self._wait(env["nameko.live"]._channels_of(self._changed, begun))
        self._changed.clear()
        if self._has_missed:
            self._has_missed = False
            self._wait(self._listened)
        if self._has_new:
            self._has_new = False
            if self._listened:
                self._add(env, self._created(env.cr))
        for channel in self._waiting.keys() - self._listened.keys():
            del self._waiting[channel]
        for channel in self._sent_at.keys() - self._listened.keys():
            del self._sent_at[channel]
        if self._listened and now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            env["nameko.live"]._forget_old()

    def _created(self, cr: Any) -> set[Changed]:
        """Return the new unfinished jobs and their records."""
        self._newest, changed = created_after(cr, self._newest - UNCOMMITTED)
        return changed

    def _due(self, now: float) -> list[str]:
        """Return the channels to notify that had no message in the last second."""
        return [
            channel for channel in self._waiting if now >= self._sent_at.get(channel, 0.0) + SECONDS
        ]

    def _send(self, env: Any, now: float) -> None:
        """Notify the channels that have waited longest, up to BROWSERS_AT_ONCE browsers."""
        channels, browsers = [], 0
        for channel in self._due(now):
            if browsers >= BROWSERS_AT_ONCE:
                break
            browsers += self._listened.get(channel, 1)
            channels.append(channel)
            del self._waiting[channel]
            self._sent_at[channel] = now
        env["nameko.live"]._send(channels)
