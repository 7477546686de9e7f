"""What a job is asked to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ResultsAs = Literal["list", "arguments", "nothing"]


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How a job runs and what becomes of its result; each is optional. Times are seconds.

    `option_checks` checks them when a job is made; None and False count as not given.

    record: the record that the result is for, and that the job is shown on
    result_field: the field of `record` that takes the result
    on_result: the method of `record`, named `_on_...`, that is called with the result
    on_error: likewise, called with a `NamekoError` when the job has failed for good
    priority: the lower, the earlier among the jobs of a service; 10 by default
    eta: not before this time; without a zone it is UTC, as Odoo's datetimes are
    identity_key: while a job of this key is not finished, asking again gives that job
    timeout: how long one attempt may take, waiting in the service's queue included
    max_attempts: how often it is sent at the most
    retry_delays: before the second attempt, the third...; the last counts for all further ones
    retry_on: names of the service's exceptions, or one name, after which it is tried again; "*"
        is any but those of requests that were given up or are too large
    after: jobs whose results it waits for
    results_as: their results come as one list before the arguments ("list"), as an argument each
        ("arguments"), or not at all ("nothing")
    """

    record: Any = None
    result_field: str | None = None
    on_result: str | None = None
    on_error: str | None = None
    priority: int | None = None
    eta: datetime | None = None
    identity_key: str | None = None
    timeout: float | None = None
    max_attempts: int | None = None
    retry_delays: Sequence[float] | None = None
    retry_on: Collection[str] | str = ()
    after: Any = None
    results_as: ResultsAs = "list"


@dataclass(frozen=True)
class JobRequest:
    """A call of `service.method(*args, **kwargs)` to be made later."""

    service: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: JobOptions = field(default_factory=JobOptions)

    def __str__(self) -> str:
        return f"{self.service}.{self.method}"
