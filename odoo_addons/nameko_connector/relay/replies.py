"""Pass replies from the consumer to the writers, and settle them afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..broker.jobs.consumer import Consumer
from ..broker.jobs.reply import Delivery
from ..job_store.rows import Lost
from .writing.threads import Writers
from .writing.work import Fate, Item

REPLY_BATCH = 250
LEASE_AFTER = 2.0  # s after delivery, then the job's deadline is extended
LEASE_AGAIN = 20.0  # s


class Replies:
    """Passes replies to the writers and settles them. Runs in the consumer's thread."""

    def __init__(self, consumer: Consumer, writers: Writers) -> None:
        self._consumer = consumer
        self._writers = writers
        self._parked: set[str] = set()  # jobs with parked replies, whose deadlines must be extended
        writers.forget()

    def turn(self) -> int:
        """Pass on new replies, settle finished ones; return how many were settled.

        :raises Exception: the connection to the database is lost
        """
        settled = self._writers.settled()
        fates: dict[Fate, list[Item]] = {fate: [] for fate in Fate}
        for item, fate in settled:
            fates[fate].append(item)
        self._consumer.dead_letter(_deliveries(fates[Fate.DEAD]))
        self._consumer.park(_deliveries(fates[Fate.BUSY]))
        self._parked.update(item.uuid for item in fates[Fate.BUSY] if item.delivery is not None)
        self._consumer.ack(_deliveries(fates[Fate.DONE]))
        while self._consumer.waiting and self._writers.has_room:
            taken = self._consumer.take(REPLY_BATCH)
            self._writers.give([Item(reply, delivery) for delivery, reply in taken])
        return len(settled)

    def give_lost(self, lost: Sequence[Lost]) -> None:
        """Pass lost jobs to the writers, which fail them, unless their answers are here."""
        in_hand = self.uuids()
        self._writers.give([Item(each) for each in lost if each.uuid not in in_hand])

    def uuids(self) -> set[str]:
        """Return the uuids of jobs whose answers are in this process."""
        return {item.uuid for item in self._writers.in_hand()} | self._consumer.waiting_uuids()

    def answered(self) -> set[str]:
        """Return the uuids of jobs that are not late: their answers are here, or just parked."""
        return self.uuids() | self._parked

    def to_lease(self) -> set[str]:
        """Return the uuids of jobs whose deadlines must be extended."""
        now = time.monotonic()
        held = [
            item
            for item in self._writers.in_hand()
            if item.delivery and now > item.taken + LEASE_AFTER and now > item.leased + LEASE_AGAIN
        ]
        for item in held:
            item.leased = now
        return self._parked | {item.uuid for item in held}

    def leased(self, uuids: set[str]) -> None:
        """Note that the deadlines of these jobs were extended."""
        self._parked -= uuids


def _deliveries(items: Sequence[Item]) -> list[Delivery]:
    return [item.delivery for item in items if item.delivery is not None]
