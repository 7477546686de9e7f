"""Perform jobs in the transaction of a test, as a relay does in transactions of its own.

1. Jobs whose predecessors are done become ready; those that wait for a failed one fail.
2. The job that a relay would send next is marked as sent. ETAs and retry delays count as over.
3. Its answer is applied by `nameko.job`'s `apply_replies`; without one, its time is over.
4. When no job is left, batches end, and their `on_done` methods are called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kombu.utils.json import dumps

from odoo import api, models

from ..broker.amqp import errors
from ..broker.amqp.request import Outcome, Request
from ..broker.jobs.body import decode, with_results
from ..broker.jobs.reply import Reply
from ..job_store import dispatch
from ..job_store.claiming.claim import RESULTS_BEFORE
from ..job_store.events import Event
from ..job_store.late import retry_unanswered
from ..job_store.rows import Lost
from ..job_store.waiting import keys
from ..job_store.waiting.predecessors import after_failed, release_waiting
from .answers import in_a_reply, outcome_of

NO_REPLY = (errors.CallTimeout, errors.UnknownService)


class Performance:
    """Performs jobs with answers by hand.

    env: with the rights of a relay; answers: by "service.method"; attempts: how often each job is
    sent at most, None for as often as its own options allow.
    """

    def __init__(
        self, env: api.Environment, answers: Mapping[str, Any], attempts: int | None
    ) -> None:
        self._env, self._answers, self._most = env, answers, attempts
        self._sent: Counter[int] = Counter()  # attempts by the job's id

    def run(self, jobs: models.BaseModel) -> None:
        """Perform the jobs until each has ended or was sent often enough.

        :raises AssertionError: a job has no answer
        """
        self._env.invalidate_all()
        while job := self._next(jobs):
            self._send(job)

    def end(self, batches: models.BaseModel) -> None:
        """End the batches without unfinished jobs, and call their `on_done` methods."""
        self._env["nameko.batch"]._end()
        self._env.invalidate_all()
        for batch in batches.filtered(lambda each: each.on_done and each.state != "running"):
            if not batch.has_called_back:
                batch._have_called_back()

    def _next(self, jobs: models.BaseModel) -> models.BaseModel:
        """Return the job that a relay would send next; an empty recordset if none is left."""
        mine, pending = ("id", "in", jobs.ids), ("state", "=", "pending")
        self._follow(jobs.search([mine, pending, ("is_waiting", "=", True)]))
        used_up = [job_id for job_id, sent in self._sent.items() if sent == self._most]
        left = [mine, pending, ("is_waiting", "=", False), ("id", "not in", used_up)]
        return jobs.search(left, order="eta asc nulls first, priority, id", limit=1)

    def _follow(self, jobs: models.BaseModel) -> None:
        """Release or fail the jobs that wait for others."""
        if jobs:
            keys.enter_at_once(self._env.cr, jobs.ids)
            if not keys.release(self._env.cr, jobs.ids):
                raise AssertionError("Another transaction has locked jobs with limit keys.")
            release_waiting(self._env.cr, jobs.ids)
            self._apply(*after_failed(self._env.cr, jobs.ids))

    def _send(self, job: models.BaseModel) -> None:
        request = self._request(job)
        outcome = outcome_of(self._answer(request), request)
        if not job.is_ready:
            self._env.cr.execute("UPDATE nameko_job SET eta = NULL WHERE id = %s", [job.id])
        dispatch.mark_sent(self._env.cr, job.ids)
        self._sent[job.id] += 1
        job.invalidate_recordset()
        self._meet(job, outcome)

    def _request(self, job: models.BaseModel) -> Request:
        """Return the request of a job, with the results of the jobs before it."""
        self._env.cr.execute(
            f"SELECT {RESULTS_BEFORE} FROM nameko_job job WHERE id = %s",  # noqa: S608
            [job.id],
        )
        ((results,),) = self._env.cr.fetchall()
        body = with_results(job.arguments, results, job.results_as) if results else job.arguments
        content = decode(body)
        return Request(job.service, job.method, content["args"], content["kwargs"])

    def _answer(self, request: Request) -> Any:
        if str(request) not in self._answers:
            raise AssertionError(f"A job calls {request}, for which no answer is given.")
        return self._answers[str(request)]

    def _meet(self, job: models.BaseModel, outcome: Outcome) -> None:
        if outcome.error is None:
            text = dumps(outcome.result)
            self._apply(Reply(job.uuid, text, decode(text), attempt=job.sendings))
        elif isinstance(outcome.error, NO_REPLY):
            self._miss(job, outcome.error)
        else:
            error = in_a_reply(outcome.error, job.method)
            self._apply(Reply(job.uuid, error=error, attempt=job.sendings))

    def _miss(self, job: models.BaseModel, error: errors.RpcError) -> None:
        """Have the time for an answer be over."""
        if isinstance(error, errors.UnknownService):
            dispatch.mark_unroutable(self._env.cr, job.ids)
        if job.attempts < job.max_attempts:
            retry_unanswered(self._env.cr, job.ids)
            self._env.invalidate_all()
        else:
            self._apply(Lost(job.uuid, "timeout", job.sendings))

    def _apply(self, *events: Event) -> None:
        applied = self._env["nameko.job"].apply_replies(events)
        self._env.invalidate_all()
        if locked := applied.busy | applied.again:
            raise AssertionError(f"Another transaction has locked jobs or records: {locked}")
