"""Decide which databases get a relay's process, when not all can have one at the same time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .needs import Need

IDLE_SECONDS = 60.0  # for which a relay with nothing to do goes on
SLICE_SECONDS = 5.0  # of a relay's turn, when others wait
MOMENT_SECONDS = (
    3.0  # that a relay has for the answers which wait, before another may take its turn
)
START_SECONDS = 60.0  # after which the turn of a relay that cannot connect has begun, too
ATTEND_PAUSE = 10.0  # before a database that only waits for answers gets another turn


@dataclass(frozen=True)
class Limits:
    """How many children run at once, and for how long."""

    processes: int
    idle_seconds: float = IDLE_SECONDS
    slice_seconds: float = SLICE_SECONDS


@dataclass(eq=False)
class Place:
    """A database in the queue for a child, or its child. Times are `time.monotonic`.

    due_at: since when it waits; started_at: when its child began;
    served_at: when that was connected, which begins its turn; is_barred: no relay may
    run in the database now.
    """

    name: str
    need: Need = Need.NONE
    due_at: float = 0.0
    idle_since: float = 0.0
    started_at: float | None = None
    served_at: float | None = None
    is_stopping: bool = False
    is_barred: bool = False

    def note(self, need: Need, now: float) -> None:
        """Note what the database needs."""
        if need is Need.WORK and self.need is not Need.WORK:
            self.due_at = now
        if need is Need.ATTEND and self.need is Need.NONE:
            self.due_at = max(self.due_at, now)
        if need is not Need.NONE or self.need is not Need.NONE:
            self.idle_since = now
        self.need = need

    def begin(self, now: float) -> None:
        """Note that a child has started."""
        self.started_at, self.idle_since, self.is_stopping = now, now, False
        self.served_at = None

    def end(self, now: float) -> None:
        """Note that the child has ended: what is needed now must be looked at again."""
        self.started_at, self.is_stopping = None, False
        self.due_at = now if self.need is Need.WORK else now + ATTEND_PAUSE
        self.need = Need.NONE

    def has_child(self) -> bool:
        """Return whether a child runs, or ends."""
        return self.started_at is not None

    def is_due(self, now: float) -> bool:
        """Return whether it waits for a child."""
        waits = self.need is not Need.NONE and not self.has_child() and not self.is_barred
        return waits and self.due_at <= now

    def is_over(self, limits: Limits, now: float) -> bool:
        """Return whether a child has nothing to do any more."""
        is_idle = self.need is Need.NONE and now > self.idle_since + limits.idle_seconds
        return self.is_barred or is_idle


def to_start(places: Iterable[Place], limits: Limits, now: float) -> list[Place]:
    """Return the databases that get a child now; those that wait longest come first."""
    free = limits.processes - sum(place.has_child() for place in places)
    return _waiting(places, now)[: max(0, free)]


def to_stop(places: Collection[Place], limits: Limits, now: float) -> list[Place]:
    """Return the databases whose children are asked to stop: nothing to do, or others' turn."""
    running = [place for place in places if place.has_child() and not place.is_stopping]
    over = [place for place in running if place.is_over(limits, now)]
    free = limits.processes - len(running) + len(over)  # when those that stop have ended
    waiting = _waiting(places, now)[max(0, free) :]
    others = sorted(
        (place for place in running if place not in over),
        key=lambda place: (place.need, place.started_at),
    )
    turns = zip(others, waiting, strict=False)
    return over + [child for child, next_ in turns if _is_turn(child, next_, limits, now)]


def _is_turn(child: Place, next_: Place, limits: Limits, now: float) -> bool:
    """Return whether a child has had its time, and the next database may have its turn."""
    if child.need is Need.NONE:
        return True
    is_urgent = next_.need > child.need
    patience = MOMENT_SECONDS if is_urgent else limits.slice_seconds
    began_at = child.served_at or (child.started_at or 0.0) + START_SECONDS
    return now >= began_at + patience


def _waiting(places: Iterable[Place], now: float) -> list[Place]:
    return sorted((place for place in places if place.is_due(now)), key=lambda place: place.due_at)


def seconds_left(places: Iterable[Place], now: float) -> float:
    """Return the seconds until the next database's pause is over."""
    waits = (place.due_at - now for place in places if not place.has_child() and place.need)
    return min((seconds for seconds in waits if seconds > 0), default=math.inf)
