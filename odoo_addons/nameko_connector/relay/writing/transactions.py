"""Write answers into the database, together or one by one."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ...job_store import answers
from ...job_store.events import Applied, GivenUp
from ...job_store.rows import Lost
from ..database import Database, is_lost
from .pace import Speeds, Turn
from .work import Fate, Fates, Item, Work

_logger = logging.getLogger(__name__)
LOCK_TIMEOUT = "150ms"  # for locked rows that a callback needs
MOST_TRIES = 5  # to write an answer, if the process crashes each time
TRIES = 4  # of a transaction, if it conflicts with others
LOCKED_SECONDS = 0.2  # between two tries to fail a job
FIRST_PAUSE = 0.02  # s before the second try; doubled before each further one


class Writing:
    """Writes the answers of one thread."""

    def __init__(self, database: Database, speeds: Speeds) -> None:
        self._database = database
        self._speeds = speeds

    def write_answers(self, work: Work) -> Fates:
        """Write answers; return the outcome of each.

        :raises Exception: the connection to the database is lost
        """
        item = work.items[0]
        if work.alone and item.failure is None and item.suspect:
            self._mark_suspect(item)
        if work.alone and item.failure is not None:
            return self._fail(item)
        self._mark_tried(work)
        return self._apply(work)

    def _mark_suspect(self, item: Item) -> None:
        tries = self._attempt(lambda jobs: answers.mark_try(jobs.env.cr, item.uuid))
        item.marked = True
        if tries > MOST_TRIES:
            item.failure = GivenUp("deadly", MOST_TRIES)

    def _mark_tried(self, work: Work) -> None:
        """Count an attempt for redelivered answers, to detect those that crash the process."""
        items = [item for item in work.items if item.may_have_been_tried and not item.marked]
        if items:
            noted = self._attempt(
                lambda jobs: answers.mark_first_try(jobs.env.cr, {i.uuid for i in items})
            )
            for item in items:
                item.marked = item.uuid not in noted

    def _apply(self, work: Work) -> Fates:
        events = [item.event for item in work.items]
        try:
            applied = self._attempt(
                lambda jobs: jobs.apply_replies(events, Turn(work, self._speeds))
            )
        except CONFLICTS:
            return self._retry_alone(work, Fate.BUSY if work.alone else Fate.AGAIN)
        except Exception as error:
            if is_lost(error):
                raise
            if work.alone:
                _logger.warning("Job %s cannot be committed", work.items[0].uuid, exc_info=True)
                work.items[0].failure = error
                return self._fail(work.items[0])
            _logger.info("A batch of replies is written one by one: %s", error)
            return self._retry_alone(work, Fate.AGAIN)
        return fates(work, applied)

    def _retry_alone(self, work: Work, fate: Fate) -> Fates:
        for item in work.items:
            item.alone = True
        return [(item, fate) for item in work.items]

    def _fail(self, item: Item) -> Fates:
        item.alone = True
        locked = self._attempt(lambda jobs: jobs.fail_reply(item.event, item.failure))
        if locked:  # for a moment, by the session that was ended
            time.sleep(LOCKED_SECONDS)
        return [(item, Fate.AGAIN if locked else Fate.DONE)]

    def _attempt(self, action: Callable[[Any], Any]) -> Any:
        """Run the action in a transaction; retry after a conflict with another one."""
        for tries_left in reversed(range(TRIES)):
            try:
                with self._database.jobs(lock_timeout=LOCK_TIMEOUT) as jobs:
                    return action(jobs)
            except CONFLICTS:
                if not tries_left:
                    raise
                time.sleep(random.uniform(0.5, 1) * FIRST_PAUSE * 2 ** (TRIES - tries_left))  # noqa: S311
        raise AssertionError("unreachable")


def fates(work: Work, applied: Applied) -> Fates:
    """Return the outcome of each item after its transaction."""
    return [(item, _fate(item, applied)) for item in work.items]


def _fate(item: Item, applied: Applied) -> Fate:
    if item.uuid in applied.later:
        item.key = applied.later[item.uuid]
        return Fate.LATER
    if item.uuid in applied.again:
        return Fate.AGAIN
    if item.uuid in applied.busy:
        return Fate.BUSY
    if isinstance(item.event, Lost):
        return Fate.DONE
    is_dead = item.uuid in applied.unknown or item.event.was_unreadable
    return Fate.DEAD if is_dead else Fate.DONE
