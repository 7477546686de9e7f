"""The news for open views: to each, at most once a second, that what it shows has changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..job_store.rows import created_after
from ..job_store.waiting import FINISHED
from ..models.monitoring.nameko_live import Changed, collected
from .database import Database

TURN_SECONDS = 0.1  # between two looks for what has changed
SECONDS = 1.0  # between two messages to a channel, and two looks for who listens
BROWSERS_AT_ONCE = 20  # that get a message in one turn, or all that listen to one channel
FORGET_SECONDS = 10.0  # between two looks for old messages
UNCOMMITTED = 500  # ids: a transaction may be committed after others with higher ones


class Live:
    """Sends what this process has changed, and which jobs others have made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listened: dict[str, int] = {}  # the channels, with their browsers, at the last look
        self._look_at = 0.0
        self._changed: set[Changed] = set()  # since the last look
        self._has_missed = False  # all views have to reload
        self._has_new = True  # there may be jobs that were made while no relay ran
        self._newest = 0  # id of a job
        self._waiting: dict[str, None] = {}  # channels with news, first those that wait longest
        self._sent_at: dict[str, float] = {}  # when channels had their last message
        self._forget_at = 0.0

    def hear(self, payloads: Iterable[str]) -> None:
        """Take the notifications of transactions that have made jobs."""
        self._has_new |= any(not payload.startswith(FINISHED) for payload in payloads)

    def catch_up(self) -> None:
        """Have all views reload: they may have missed changes, as when another relay was killed."""
        self._has_missed = True

    def turn(self) -> None:
        """Send the news to the channels that have not had any for a second."""
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
        """Send all news now: nobody does it later."""
        self._look_at = 0.0
        self.turn()
        while self._waiting:
            self._sent_at.clear()
            self.turn()

    @property
    def seconds_left(self) -> float:
        """How long it may wait until its next turn."""
        waiting = (self._sent_at.get(channel, 0.0) + SECONDS for channel in self._waiting)
        return max(TURN_SECONDS, min(waiting, default=float("inf")) - time.monotonic())

    def _add(self, env: Any, changed: set[Changed]) -> None:
        self._wait(env["nameko.live"]._channels_of(changed, self._listened))

    def _wait(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self._waiting.setdefault(channel)

    def _look(self, env: Any, now: float) -> None:
        """See who listens, and which jobs are new.

        Who has begun to listen since the last look gets what has changed since.
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
        """Return the newest jobs that have not ended, and the records that they are for."""
        self._newest, changed = created_after(cr, self._newest - UNCOMMITTED)
        return changed

    def _due(self, now: float) -> list[str]:
        """Return the channels that have news and may be sent to."""
        return [
            channel for channel in self._waiting if now >= self._sent_at.get(channel, 0.0) + SECONDS
        ]

    def _send(self, env: Any, now: float) -> None:
        """Send to those that have waited longest: each message takes its browser's websocket."""
        channels, browsers = [], 0
        for channel in self._due(now):
            if browsers >= BROWSERS_AT_ONCE:
                break
            browsers += self._listened.get(channel, 1)
            channels.append(channel)
            del self._waiting[channel]
            self._sent_at[channel] = now
        env["nameko.live"]._send(channels)
