"""When a job is late: only after all replies were read that had come before its time was over.

1. A job is due: note the database's time, and how many replies wait in the broker.
2. When as many have been received since, or none waits any more, all that had come by then are in
   somebody's hands: in ours, and then their jobs are left out; or in another relay's.
3. Where others take replies, too, wait until they have written what they had, or have told the
   database that they have it. One that is frozen does not: then its consumer is still counted by
   the broker, but it shows no sign of life, and nobody is late until the broker has taken its
   replies back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from ..broker.jobs.consumer import Consumer
from ..job_store import late, relays
from .database import Database
from .replies import Replies

PEERS_SECONDS = 15.0  # in which other relays write or lease what they have
ALIVE_SECONDS = 10.0  # within which a relay that works shows it
LOOK_SECONDS = 2.0  # between two looks at a queue in which replies wait


@dataclass
class Look:
    """What there was to read when a job was due."""

    moment: datetime
    received: int  # replies, by when all that waited then are received
    consumers: int
    at: float  # time.monotonic
    next_at: float = 0.0
    passed: bool = False


class Lateness:
    """Sends jobs again, or fails them, whose time to answer is over."""

    def __init__(
        self, database: Database, consumer: Consumer, replies: Replies, own: int = 1
    ) -> None:
        """Own: 1 for a process that counts among the relays that run, 0 for one that does not."""
        self._database, self._consumer, self._replies = database, consumer, replies
        self._others = 1 - own
        self._look: Look | None = None

    def turn(self) -> None:
        """Do what can be done now."""
        with self._database.rows() as cr:
            late.retry_unknown(cr)
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
        """Tell whether all replies are read, or in known hands, that had come by then."""
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
            self._look = None  # somebody came or went, or is frozen: from the beginning
            return False
        return look.passed and (consumers == 1 or now > look.at + PEERS_SECONDS)

    def _expire(self, moment: datetime) -> bool:
        """Take some of the late; tell whether these were all."""
        answered = self._replies.answered()
        with self._database.rows() as cr:
            retried = late.retry_due(cr, moment, answered)
            lost = late.lost(cr, moment, answered)
        self._replies.give_lost(lost)
        return not (retried or lost)
