"""The periodic steps of a relay. An error in one step does not stop the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from ..broker.amqp.connecting import BROKER_LOST
from ..broker.jobs.consumer import Consumer
from ..job_store import answers, dispatch, relays, routes
from ..job_store.claiming import policies, starts
from ..job_store.waiting import keys, predecessors
from ..job_store.waiting.keys import ENTERED
from ..job_store.waiting.predecessors import FINISHED
from .database import Database, is_lost
from .lateness import Lateness
from .live import TURN_SECONDS, Live
from .moving.cancelled import Cancelled
from .replies import Replies
from .statistics import MERGE_SECONDS, Statistics
from .statistics import SECONDS as COUNT_SECONDS

_logger = logging.getLogger(__name__)
SECONDS = 1.0  # between two runs of a step
WAITING_SECONDS = 30.0  # between two looks at all jobs that wait for others
AWAY_SECONDS = 10.0  # between two looks at jobs whose services are away
FROZEN_SECONDS = 10.0  # between two looks for frozen relays
LONGEST_PAUSE = 60.0  # s, after a step has failed several times
MOST_PROGRESS = 1_000  # jobs whose progress is written at a time


@dataclass
class Step:
    """An action that runs every so many seconds; after errors, at growing intervals."""

    name: str
    action: Callable[[], None]
    seconds: float = SECONDS
    next_at: float = 0.0
    pause: float = 0.0

    def run(self, now: float) -> None:
        """Run the action if it is due; log its errors.

        :raises Exception: the connection to the database or the broker is lost
        """
        if now < self.next_at:
            return
        self.next_at = now + self.seconds
        try:
            self.action()
            self.pause = 0.0
        except CONFLICTS as error:
            _logger.info("%s waits: %s", self.name, error)
        except Exception as error:
            if is_lost(error) or isinstance(error, BROKER_LOST):
                raise
            self.pause = min(LONGEST_PAUSE, max(self.seconds, 2 * self.pause))
            self.next_at = now + self.pause
            _logger.warning("%s failed, and waits %g s", self.name, self.pause, exc_info=True)


class Waiting:
    """Makes jobs ready that waited for others, and fails those whose predecessors failed."""

    def __init__(self, database: Database, replies: Replies) -> None:
        self._database, self._replies = database, replies
        self._finished: set[int] = set()
        self._again: set[int] = set()  # to check in the next turn: some jobs were locked
        self._has_entered = False
        self._after = 0  # the id after which the check of all jobs continues
        self._all_at = 0.0

    def hear(self, payloads: set[str]) -> None:
        """Note the finished jobs from PostgreSQL's notifications, and that jobs entered a line."""
        for payload in payloads:
            kind, _, ids = payload.partition(":")
            if kind == FINISHED:
                self._finished.update(int(each) for each in ids.split(",") if each)
            self._has_entered |= kind == ENTERED

    @property
    def is_due(self) -> bool:
        """Whether a notification named jobs for which others may wait, or that wait."""
        return bool(self._finished) or self._has_entered

    def turn(self) -> None:
        """Check the jobs that wait for finished ones, and from time to time all waiting jobs."""
        finished = self._finished | self._again
        is_full_turn = time.monotonic() > self._all_at
        with self._database.rows() as cr:
            window = predecessors.waiting_after(cr, self._after) if is_full_turn else []
            waiting = {*window, *(predecessors.waiting_for(cr, finished) if finished else ())}
            lost = []
            if waiting:
                predecessors.release_waiting(cr, waiting)
                lost = predecessors.after_failed(cr, waiting)
            is_complete = keys.release(cr, finished | waiting)
        self._finished -= finished
        self._has_entered = False
        self._again = set() if is_complete else finished | waiting
        if is_full_turn:
            self._continue_after(window)
        self._replies.give_lost(lost)

    def _continue_after(self, window: Sequence[int]) -> None:
        """Continue with the next of all waiting jobs; after the last, begin again later."""
        is_last = len(window) < predecessors.WINDOW
        self._after = 0 if is_last else window[-1]
        if is_last:
            self._all_at = time.monotonic() + WAITING_SECONDS


class Clock:
    """The steps of a relay or of a scheduled run, in order."""

    def __init__(
        self,
        database: Database,
        consumer: Consumer,
        replies: Replies,
        lateness: Lateness,
        cancelled: Cancelled,
    ) -> None:
        self._database, self._consumer, self._replies = database, consumer, replies
        self.waiting, self.live = Waiting(database, replies), Live(database)
        self.statistics = statistics = Statistics(database)
        self._live_step = Step("The news for open views", self.live.turn, TURN_SECONDS)
        self._waiting_step = Step("The look at jobs that wait for others", self.waiting.turn)
        self._steps = [
            Step("The lease of answers in hand", self._lease),
            Step("The look for jobs whose time has come", self._wake),
            Step("The look at policies", self._steer),
            Step("The look for jobs that are late", lateness.turn),
            Step("The news of cancelled jobs", cancelled.turn),
            Step("The look for services that are away", self._fail_away, AWAY_SECONDS),
            Step("The look for frozen relays", self._end_frozen, FROZEN_SECONDS),
            Step("The note of progress", self._note_progress),
            self._waiting_step,
            Step("The end of batches", self._end_batches),
            Step("The groups of failures", statistics.group_failures),
            Step("The count of jobs", statistics.count_live, COUNT_SECONDS),
            Step("The count of failures", statistics.count_failures, COUNT_SECONDS),
            Step("The numbers of past minutes", statistics.merge, MERGE_SECONDS),
        ]

    @property
    def is_due(self) -> bool:
        """Whether a notification asks for a step now, unless that fails at present."""
        return self.waiting.is_due and not self._waiting_step.pause

    def turn(self) -> None:
        """Run the steps that are due."""
        now = time.monotonic()
        if self.is_due:
            self._waiting_step.next_at = now
        for step in self._steps:
            step.run(now)

    def tell(self) -> None:
        """Notify open views of changes, if due."""
        self._live_step.run(time.monotonic())

    def _lease(self) -> None:
        uuids = self._replies.to_lease()
        if uuids:
            with self._database.rows() as cr:
                leased = answers.lease(cr, uuids)
            self._replies.leased(leased)

    def _wake(self) -> None:
        with self._database.rows() as cr:
            dispatch.wake_due(cr)

    def _steer(self) -> None:
        """End the pauses whose time is over, and the starts of relays that have ended."""
        with self._database.jobs(read_committed=True) as jobs:
            ended = policies.end_pauses(jobs.env.cr)
            starts.recover(jobs.env.cr)
            starts.forget_old(jobs.env.cr)
            jobs.env["nameko.policy"]._note_changed(ended)

    def _fail_away(self) -> None:
        with self._database.rows() as cr:
            lost = routes.waited_too_long(cr)
        self._replies.give_lost(lost)

    def _end_batches(self) -> None:
        with self._database.jobs(read_committed=True) as jobs:
            jobs.env["nameko.batch"]._end()

    def _end_frozen(self) -> None:
        with self._database.rows() as cr:
            relays.end_frozen_relays(cr)

    def _note_progress(self) -> None:
        """Write the progress of jobs; if a row is locked, the next event updates it."""
        shares = dict(list(self._consumer.take_progress().items())[-MOST_PROGRESS:])
        if shares:
            with self._database.jobs(read_committed=True) as jobs:
                noted = dispatch.note_progress(jobs.env.cr, shares)
                jobs.env["nameko.live"]._note(noted)
