"""The news for open views: to each group of browsers, once a second, what has changed since."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ..job_store.rows import created_after
from ..job_store.waiting import FINISHED
from ..models.nameko_live import CHANNELS, Changed, collected
from .database import Database

TURN_SECONDS = 0.1  # between two looks for what has changed
SECONDS = 1.0  # between two messages to a group of browsers, and two looks for who is there
AT_ONCE = 2  # groups: with ten of them each has its turn within a second
FORGET_SECONDS = 60.0  # between two looks for old messages
UNCOMMITTED = 500  # ids: a transaction may be committed after others with higher ones


class Live:
    """Sends what this process has changed, and which jobs others have made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: dict[str, set[Changed]] = {channel: set() for channel in CHANNELS}
        self._sent_at = dict.fromkeys(CHANNELS, 0.0)
        self._missed: set[str] = set()  # channels whose browsers have to reload all
        self._listening: set[str] = set()  # channels to which somebody listened at the last look
        self._look_at = 0.0
        self._has_new = True  # there may be some that were made while no relay ran
        self._newest = 0  # id of a job
        self._forget_at = 0.0

    def hear(self, payloads: Iterable[str]) -> None:
        """Take the notifications of transactions that have made jobs."""
        self._has_new |= any(not payload.startswith(FINISHED) for payload in payloads)

    def catch_up(self) -> None:
        """Have all views reload: they may have missed changes, as when another relay was killed."""
        self._missed.update(CHANNELS)

    def turn(self) -> None:
        """Send the news to the groups of browsers that have waited for a second."""
        self._add(collected(self._database.name))
        now = time.monotonic()
        has_news = self._has_new or self._missed or any(self._news.values())
        looks = now >= self._look_at and has_news
        if not looks and not self._due(now):
            return
        try:
            with self._database.jobs(read_committed=True) as jobs:
                jobs.env.cr.execute("SET LOCAL synchronous_commit TO off")  # soon is enough
                if looks:
                    self._look_at = now + SECONDS
                    self._look(jobs.env)
                for channel in self._due(now)[:AT_ONCE]:
                    self._send(jobs.env, channel, now)
        except BaseException:
            self.catch_up()
            raise

    def finish(self) -> None:
        """Send all news now: nobody does it later."""
        self._look_at = 0.0
        self._sent_at = dict.fromkeys(CHANNELS, 0.0)
        self.turn()
        while self._due(time.monotonic()):
            self.turn()

    @property
    def seconds_left(self) -> float:
        """How long it may wait until its next turn."""
        waiting = filter(self._has_news, self._listening)
        next_at = min((self._sent_at[each] + SECONDS for each in waiting), default=float("inf"))
        return max(TURN_SECONDS, next_at - time.monotonic())

    def _send(self, env: Any, channel: str, now: float) -> None:
        news, self._news[channel] = self._news[channel], set()
        self._sent_at[channel] = now
        if channel in self._missed:
            self._missed.discard(channel)
            env["nameko.live"]._send_all([channel])
        else:
            env["nameko.live"]._send(news, [channel])

    def _add(self, changed: set[Changed]) -> None:
        for news in self._news.values() if changed else ():
            news.update(changed)

    def _due(self, now: float) -> list[str]:
        """Return the channels that have news and may be sent to, first who has waited longest."""
        due = [
            channel
            for channel in self._listening
            if self._has_news(channel) and now >= self._sent_at[channel] + SECONDS
        ]
        return sorted(due, key=self._sent_at.__getitem__)

    def _has_news(self, channel: str) -> bool:
        return bool(self._news[channel]) or channel in self._missed

    def _look(self, env: Any) -> None:
        """See who listens; nobody needs the news of others."""
        before = self._listening
        self._listening = env["nameko.live.viewer"]._channels().intersection(CHANNELS)
        for channel in CHANNELS:
            if channel not in self._listening:
                self._missed.discard(channel)  # who begins to listen reloads anyway
                if channel not in before:
                    self._news[channel].clear()
        if self._has_new:
            self._has_new = False
            if self._listening:
                self._add(self._created(env.cr))
        now = time.monotonic()
        if self._listening and now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            env["nameko.live"]._forget_old()

    def _created(self, cr: Any) -> set[Changed]:
        """Return the newest jobs, and the records that they are for."""
        self._newest, changed = created_after(cr, self._newest - UNCOMMITTED)
        return changed
