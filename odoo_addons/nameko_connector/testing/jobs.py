"""Trap the jobs that a test enqueues, check them and perform them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from odoo import SUPERUSER_ID, api, models

from ..broker.amqp.request import Request
from ..broker.jobs.body import encode_body
from ..tools.job_request import JobOptions, JobRequest, split_options
from ..tools.option_checks import checked_job
from ..tools.parameters import retry_delays_text
from .performing import Performance


@contextmanager
def trap_jobs(env: api.Environment) -> Iterator[JobTrap]:
    """Yield what checks and performs the jobs that are enqueued in this block.

    Nothing is mocked: the jobs are rows of `nameko.job` in the test's transaction, which no relay
    sees. They are performed in that transaction::

        with trap_jobs(self.env) as trap:
            order.action_quote_later()
        trap.assert_delayed("pricing", "quote", order.id, priority=5)
        trap.perform({"pricing.quote": 42})
        self.assertEqual(order.amount, 42)
    """
    trap = JobTrap(env)
    with trap.collecting():
        yield trap


class JobTrap:
    """The jobs that were enqueued in the block of `trap_jobs`, in superuser mode."""

    def __init__(self, env: api.Environment) -> None:
        self._env = env(user=SUPERUSER_ID, su=True, context={})  # as a relay's
        self._jobs = _Collected(self._env["nameko.job"])
        self._batches = _Collected(self._env["nameko.batch"])

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect the jobs that are enqueued in this block."""
        with self._jobs.collecting(), self._batches.collecting():
            yield

    @property
    def jobs(self) -> models.BaseModel:
        """The jobs in the order in which they were enqueued."""
        return self._jobs.records()

    @property
    def batches(self) -> models.BaseModel:
        """The batches in the order in which they were made."""
        return self._batches.records()

    def assert_delayed(
        self, service: str, method: str, *args: Any, **kwargs: Any
    ) -> models.BaseModel:
        """Check that one job calls this method with these arguments; return it.

        :param kwargs: as of `delay`: options by name; all others are arguments. Options that are
            not given here are not compared, nor is `on_match`
        :raises AssertionError: no job does, or several do; the message lists the jobs
        """
        arguments, options = split_options(kwargs)
        request = JobRequest(service, method, args, arguments, JobOptions(**options))
        request = checked_job(request)
        found = self.jobs.filtered(lambda job: _is_job_of(request, job, options))
        if len(found) != 1:
            wanted = _written(str(request), _arguments_of(request), _options_of(request), options)
            made = "".join(f"\n- {_job_written(job, options)}" for job in self.jobs) or " none"
            raise AssertionError(f"{len(found)} jobs, not 1, are {wanted}. All jobs:{made}")
        return found

    def assert_done(self) -> None:
        """Check that all jobs are done.

        :raises AssertionError: some are not; the message lists them with their errors
        """
        others = self.jobs.filtered(lambda job: job.state != "done")
        if others:
            lines = [f"\n- {job.display_name}: {job.state}, {job.reason}" for job in others]
            raise AssertionError(f"{len(others)} jobs are not done:{''.join(lines)}")

    def perform(
        self,
        answers: Mapping[str, Any],
        *,
        jobs: models.BaseModel | None = None,
        attempts: int | None = None,
    ) -> None:
        """Send the unfinished jobs and write their answers, as a relay does, until all have ended.

        ETAs and retry delays count as over. Jobs that wait for others follow; jobs that a callback
        enqueues join the trap, and wait for the next `perform`. When all jobs of a batch have
        ended, its `on_done` is called.

        :param answers: per "service.method" a value, an exception or a function: see `answers.py`
        :param jobs: only these
        :param attempts: how often each is sent at most, instead of until it has ended
        :raises AssertionError: a job has no answer
        """
        performance = Performance(self._env, answers, attempts)
        with self.collecting():
            performance.run(self.jobs if jobs is None else jobs.with_env(self._env))
            performance.end(self.batches)


class _Collected:
    """The records of a model that were made in some blocks."""

    def __init__(self, model: models.BaseModel) -> None:
        self._ended = model
        self._after: int | None = None  # the newest id before the block that has not ended

    @contextmanager
    def collecting(self) -> Iterator[None]:
        if self._after is not None:  # in another block
            yield
            return
        self._after = self._ended.search([], order="id desc", limit=1).id or 0
        yield
        self._ended, self._after = self.records(), None

    def records(self) -> models.BaseModel:
        if self._after is None:
            return self._ended
        return self._ended + self._ended.search([("id", ">", self._after)], order="id")


def _is_job_of(request: JobRequest, job: models.BaseModel, names: Collection[str]) -> bool:
    """Return whether a job was made of such a request, as far as these options go."""
    wanted, has = _options_of(request), _options_of_job(job)
    return (
        (job.service, job.method) == (request.service, request.method)
        and json.loads(job.arguments) == _arguments_of(request)
        and all((wanted[name] or None) == (has[name] or None) for name in names if name in has)
    )


def _arguments_of(request: JobRequest) -> Any:
    called = Request(request.service, request.method, request.args, request.kwargs)
    return json.loads(encode_body(called))


def _options_of(request: JobRequest) -> dict[str, Any]:
    """Return the options of a request as `_options_of_job` returns those of its job."""
    options = request.options
    delays = options.retry_delays
    return {
        **vars(options),
        "record": options.record and (options.record._name, options.record.id),
        "retry_delays": delays and retry_delays_text(delays),
        "retry_on": ",".join(sorted(options.retry_on)),
        "after": options.after and sorted(options.after.ids),
    }


def _options_of_job(job: models.BaseModel) -> dict[str, Any]:
    return {
        **{name: job[name] for name in JobOptions.__dataclass_fields__ if name in job._fields},
        "record": job.res_model and (job.res_model, job.res_id),
        "after": sorted(job.predecessor_ids.ids),
    }


def _job_written(job: models.BaseModel, names: Collection[str]) -> str:
    return _written(job.display_name, json.loads(job.arguments), _options_of_job(job), names)


def _written(
    called: str, arguments: Any, options: Mapping[str, Any], names: Collection[str]
) -> str:
    """Return a job in Python's form, with these of its options."""
    named = [f"{name}={value!r}" for name, value in arguments["kwargs"].items()]
    given = [f"{name}={options[name]!r}" for name in names if name in options]
    text = f"{called}({', '.join([*map(repr, arguments['args']), *named])})"
    return f"{text} with {', '.join(given)}" if given else text
