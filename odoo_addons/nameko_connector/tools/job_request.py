"""The request of a job: a service, a method, arguments and options; and `Again`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal

ResultsAs = Literal["list", "arguments", "nothing"]
OnMatch = Literal["keep", "replace"]


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How a job runs and where its result goes; all are optional. Times are in seconds.

    `option_checks` checks them when a job is enqueued; None and False count as not given.

    record: the record that the result is for, and that the job is shown on
    result_field: the field of `record` into which the result is written
    on_result: the method of `record`, named `_on_...`, that is called with the result
    on_error: likewise, called with a `NamekoError` when the job has failed for good
    priority: jobs of a service with lower numbers run first; 10 by default
    eta: not before this time; without a zone it is UTC, as in Odoo
    identity_key: while a job with this key is unfinished, no second one is created: enqueueing
        returns the first one
    unique_for: with `identity_key`: for so many seconds (or a timedelta) after it was created, a
        job with this key and this option counts as well when it is done
    on_match: if there is such a job, "keep" it as it is, or "replace" its arguments by the new ones
        if it was never sent, and calls the same method for the same record
    limit_key: of the unfinished jobs with this key, only `most_at_once` are open at a time; they
        are sent in the order in which they were created
    most_at_once: with `limit_key`: how many; 1 by default
    timeout: how long one attempt may take, including the time in the service's queue
    max_attempts: how often it is sent at most, in each round
    max_again: how often its callback may return `Again`
    retry_delays: before the second attempt, the third...; the last one applies to all further ones
    retry_on: one or more names of the service's exceptions after which it is retried; "*" means
        all except those for requests that were given up or are too large
    after: jobs that must be done before, whose results it receives
    results_as: it receives these results before its arguments, as one list ("list") or as one
        argument each ("arguments"), or not at all ("nothing")
    """

    record: Any = None
    result_field: str | None = None
    on_result: str | None = None
    on_error: str | None = None
    priority: int | None = None
    eta: datetime | None = None
    identity_key: str | None = None
    unique_for: float | timedelta | None = None
    on_match: OnMatch = "keep"
    limit_key: str | None = None
    most_at_once: int | None = None
    timeout: float | None = None
    max_attempts: int | None = None
    max_again: int | None = None
    retry_delays: Sequence[float] | None = None
    retry_on: Collection[str] | str = ()
    after: Any = None
    results_as: ResultsAs = "list"


OPTIONS = frozenset(each.name for each in fields(JobOptions))


@dataclass(frozen=True)
class JobRequest:
    """A call of `service.method(*args, **kwargs)` for a job."""

    service: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: JobOptions = field(default_factory=JobOptions)

    def __str__(self) -> str:
        return f"{self.service}.{self.method}"


@dataclass(frozen=True)
class Again:
    """What a callback returns to have its job call the service again, after some time.

    What the callback wrote is kept. The job is pending until then; it is still the same job, and
    the next answer goes to the same callbacks.

    seconds: a number or a timedelta
    args, kwargs: arguments in place of all those before; if both are None, these stay the same
    """

    seconds: float | timedelta
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None


def split_options(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments and the options among the keyword arguments of `delay`."""
    options = {name: value for name, value in kwargs.items() if name in OPTIONS}
    return {name: value for name, value in kwargs.items() if name not in options}, options
