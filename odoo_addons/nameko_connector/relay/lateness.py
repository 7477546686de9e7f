"""Retry or fail late jobs, but only after all replies that came before their deadlines were read.

1. When a job's deadline has passed, note the time and the number of replies in the broker's queue.
2. When as many replies have been received since then, or none waits any more, all replies of that
   time have been delivered: to this relay, which skips their jobs, or to another relay.
3. If other relays run, wait until they have written their replies or extended the jobs' deadlines.
   A frozen relay does neither: the broker counts its consumer, but its session is silent. Then no
   job is late until the broker has requeued the frozen relay's replies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from ..broker.jobs.consumer import Consumer
from ..job_store import late, relays
from .database import Database
from .replies import Replies

PEERS_SECONDS = 15.0  # in which other relays write their replies or extend the deadlines
ALIVE_SECONDS = 10.0  # within which a working relay executes a statement
LOOK_SECONDS = 2.0  # between two checks of the reply queue


@dataclass
class Look:
    """The state of the reply queue when a job's deadline had passed."""

    moment: datetime
    received: int  # the count of received replies that includes all that waited then
    consumers: int
    at: float  # time.monotonic
    next_at: float = 0.0
    passed: bool = False


class Lateness:
    """Retries or fails the jobs whose deadlines have passed."""

    def __init__(
        self, database: Database, consumer: Consumer, replies: Replies, own: int = 1
    ) -> None:
        """:param own: 1 for a relay; 0 for a scheduled run, which is not counted as a relay"""
        self._database, self._consumer, self._replies = database, consumer, replies
        self._others = 1 - own
        self._look: Look | None = None

    def turn(self) -> None:
        """Retry or fail late jobs, as far as that is safe now."""
        with self._database.rows() as cr:
            late.retry_unroutable(cr)
            moment = late.due_moment(cr)
            running = relays.running_relays(cr, ALIVE_SECONDS) if moment else 0
        if moment is None:
            self._look = None
        elif self._look is None:
            self._look = self._first_look(moment)
        look = self._look
        if look and self._is_read(look, running + self._others) and self._expire(look.moment):
            self._look = None

    def _first_look(self, moment: datetime) -> Look:
        waiting, consumers = self._consumer.look()
        received = self._consumer.received + waiting
        return Look(moment, received, consumers, time.monotonic())

    def _is_read(self, look: Look, running: int) -> bool:
        """Return whether all replies of that time were received here or handled by other relays."""
        now = time.monotonic()
        look.passed = look.passed or self._consumer.received >= look.received
        if look.passed and look.consumers == 1:
            return True
        if now < look.next_at:
            return False
        look.next_at = now + LOOK_SECONDS
        waiting, consumers = self._consumer.look()
        look.passed = look.passed or not waiting
        if consumers != look.consumers or consumers > running:
            self._look = None  # another relay started, stopped or froze: begin again
            return False
        return look.passed and (consumers == 1 or now > look.at + PEERS_SECONDS)

    def _expire(self, moment: datetime) -> bool:
        """Retry or fail some late jobs; return whether none were left."""
        answered = self._replies.answered()
        with self._database.rows() as cr:
            retried = late.retry_due(cr, moment, answered)
            lost = late.lost(cr, moment, answered)
        self._replies.give_lost(lost)
        return not (retried or lost)
