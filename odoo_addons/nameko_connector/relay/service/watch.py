"""Watch one database: hear its notifications, and look from time to time what it needs."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable

import psycopg2.errors

from odoo.modules.module import Manifest

from ...job_store.relays import CHANNEL
from ...job_store.waiting.predecessors import FINISHED
from . import needs
from .needs import Look, Need
from .session import Session, Steps, Wait
from .turns import START_SECONDS, Place

_logger = logging.getLogger(__name__)
LOOK_SECONDS = 5.0  # between two looks
LONGEST_PAUSE = 60.0  # s, after several failures in a row
ABSENT_SECONDS = 15.0  # between two looks whether the addon is there
HEALTHY_SECONDS = 60.0  # without a failure, before earlier ones are forgotten


@functools.cache
def _version() -> str:
    return str(Manifest.for_addon("base")["version"])


class NotServed(Exception):
    """The database has no jobs for this Odoo."""


class Watch:
    """A database, as the service sees it; `place` is what it decides on turns."""

    def __init__(self, name: str, load: Callable[[Iterable[str]], None]) -> None:
        """:param load: called with the names of the database's modules"""
        self.place = Place(name)
        self._name, self._load = name, load
        self._session: Session | None = None
        self._idle = Wait(0.0)
        self._has_lock = False
        self._may_release = True  # jobs may have waited while no service ran
        self._pause = 0.0
        self._told = ""  # the failure that was logged last
        self._failed_at = -HEALTHY_SECONDS
        self._again_at = 0.0  # after a failure
        self._is_used = False  # somebody drops or copies the database
        self._confirmed: str | None = ""
        self._refused: str | None = ""  # what `Look.confirmed` was when nothing might be sent

    # The task

    def life(self) -> Steps[None]:
        """Watch for ever; log errors, and try again with growing pauses."""
        while True:
            try:
                yield from self._wait_until_free()
                yield from self._attend()
            except (NotServed, psycopg2.errors.UndefinedTable) as reason:
                self.place.is_barred = True
                self._leave(ABSENT_SECONDS, str(reason))
            except Exception as error:  # noqa: BLE001  it concerns only this database
                if self._session is not None:  # else it was closed meanwhile
                    self.fail(str(error).strip() or repr(error))

    def _wait_until_free(self) -> Steps[None]:
        while self._is_used or time.monotonic() < self._again_at:
            self._idle = Wait(max(self._again_at, time.monotonic() + 1.0))
            yield self._idle

    def _attend(self) -> Steps[None]:
        self._session = session = Session(self._name)
        yield from session.open()
        if (yield from session.rows(needs.IS_THERE)) != [(True,)]:
            raise NotServed("it has no jobs")
        yield from session.rows(needs.PREPARE)
        yield from session.rows(f"LISTEN {CHANNEL}")
        self._may_release = True  # notifications may have been missed
        self._check(needs.read((yield from session.rows(needs.EXECUTE))))
        self._load(name for (name,) in (yield from session.rows(needs.MODULES)))
        while self._session is session:
            look = needs.read((yield from session.rows(needs.EXECUTE)))
            self._note(look)
            yield from self._hold_lock(session)
            yield from self._hear(session, look)

    def _note(self, look: Look) -> None:
        """Note what a look has shown.

        :raises NotServed: the database must not be served now
        """
        self._check(look)
        self._confirmed = look.confirmed
        self.place.is_barred = False
        need = look.need(may_release=self._may_release)
        is_refused = bool(self._refused) and self._refused == look.confirmed
        self.place.note(Need.NONE if is_refused else need, time.monotonic())
        if time.monotonic() > self._failed_at + HEALTHY_SECONDS:
            self._told = ""

    def _check(self, look: Look) -> None:
        if not look.has_addon:
            raise NotServed("the addon is not installed")
        if look.base_version != _version():
            raise NotServed(f"it is of Odoo {look.base_version}")
        if look.is_changing:
            raise NotServed("modules are to be installed, updated or removed")

    def _hold_lock(self, session: Session) -> Steps[None]:
        """Hold the lock of a running relay, unless a child holds it itself, or cannot connect."""
        if not self.place.has_child() and not self._has_lock:
            yield from session.rows(needs.LOCK)
            self._has_lock = True
        elif self.place.has_child() and self._has_lock:
            ((count,),) = yield from session.rows(needs.COUNT_RELAYS)
            started_at = self.place.started_at or 0.0
            if count > 1 or time.monotonic() > started_at + START_SECONDS:
                yield from session.rows(needs.UNLOCK)
                self._has_lock = False

    def _hear(self, session: Session, look: Look) -> Steps[None]:
        """Wait until the next look; a notification makes it due, unless a child hears it."""
        now = time.monotonic()
        next_seconds = look.next_seconds or 0.0
        self._idle = Wait(
            now + (min(LOOK_SECONDS, next_seconds) if next_seconds > 0 else LOOK_SECONDS)
        )
        while time.monotonic() < self._idle.until:
            heard = yield from session.idle(self._idle)
            if self.place.has_child():
                continue
            self._may_release |= any(payload.startswith(FINISHED) for payload in heard)
            if heard and self.place.need is not Need.WORK:
                return

    # What the service says

    def set_used(self, is_used: bool) -> None:
        """Leave the database while somebody drops, renames or copies it."""
        if is_used and not self._is_used:
            _logger.info("The database %s is left to somebody who drops or copies it", self._name)
            self._close()
        self._is_used = is_used
        self.place.is_barred |= is_used

    def look_soon(self) -> None:
        """Make the next look due now."""
        self._idle.until = 0.0

    def child_started(self) -> None:
        """Note that a child works."""
        self._may_release = False
        self.place.begin(time.monotonic())

    def child_ended(self, problem: str) -> None:
        """Note that the child has ended, with a problem or ""; the database is looked at again."""
        self.place.end(time.monotonic())
        if problem:
            self.fail(problem)
        else:
            self.look_soon()

    def child_refused(self) -> None:
        """Note that nothing may be sent, until an administrator changes that."""
        self._refused = self._confirmed

    def fail(self, problem: str) -> None:
        """Log a failure, once, and leave the database for a growing pause."""
        now = time.monotonic()
        if now > self._failed_at + self._pause + HEALTHY_SECONDS:
            self._pause, self._told = 0.0, ""
        self._failed_at = now
        self._pause = min(LONGEST_PAUSE, max(1.0, 2 * self._pause))
        self._leave(self._pause, problem, logging.WARNING)

    def _leave(self, seconds: float, reason: str, level: int = logging.INFO) -> None:
        if reason != self._told:
            _logger.log(level, "The database %s waits: %s", self._name, reason)
        self._told = reason
        self._close()
        self._again_at = time.monotonic() + seconds
        self._idle.until = 0.0
        if not self.place.has_child():
            self.place.note(Need.NONE, time.monotonic())

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._has_lock = None, False

    def close(self) -> None:
        """End the session."""
        self._close()

    def abandon(self) -> None:
        """Close the session's socket in a fork."""
        if self._session is not None:
            self._session.abandon()
