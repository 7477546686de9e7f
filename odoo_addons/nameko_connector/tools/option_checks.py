"""Check the arguments and options of `call`, `call_many` and `delay`.

An invalid value is a mistake in the calling code. The error tells its developer the name, the value
and what to pass instead. None and False, the values of Odoo's empty fields, count as not given. If
a list is expected, a text counts as a list of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar, get_args

from odoo import models

from ..broker.amqp.request import Request
from ..exceptions import InvalidCall, InvalidJob
from .fields import MOST
from .job_request import JobOptions, JobRequest, OnMatch, ResultsAs
from .parameters import MOST_DELAY
from .texts import clean, shorten

MOST_CALL = 1_000_000  # s of a call: RabbitMQ and sockets have 32 bits for milliseconds
MOST_KEY = 500  # characters of a key: an index entry has at most 2,700 bytes
TEXTS = (
    "result_field",
    "on_result",
    "on_error",
    "identity_key",
    "limit_key",
    "retry_on",
)  # "": not given

Asked = TypeVar("Asked", Request, JobRequest)


class _Wrong(Exception):
    """A value is invalid; the message names it and says what to pass instead."""


def checked_timeout(request: Request | None, timeout: Any) -> float | None:
    """Return the timeout of a call in seconds, None if not given; raise InvalidCall."""
    with _refusing(InvalidCall, request):
        return None if _is_empty(timeout) else _seconds("timeout", timeout, MOST_CALL)


def checked_call(request: Any) -> Request:
    """Return the checked request of a call; raise InvalidCall."""
    with _refusing(InvalidCall, request):
        return _with_arguments(_instance("the request", request, Request))


def checked_job(request: Any) -> JobRequest:
    """Return the checked request of a job; raise InvalidJob."""
    with _refusing(InvalidJob, request):
        request = _with_arguments(_instance("the request", request, JobRequest))
        options = _instance("options", request.options, JobOptions)
        return replace(request, options=_checked_options(options))


def checked_delay(names: str, seconds: Any) -> float:
    """Return after how many seconds `Again` asks again; raise InvalidJob.

    :param names: of the service and the method
    """
    with _refusing(InvalidJob, None):
        value = _seconds_of(seconds)
        if not _is_number(value) or not 0 <= value <= MOST_DELAY:
            raise _Wrong(
                f"{names}: seconds of Again is {shorten(seconds)}; give a number or a timedelta, "
                f"from 0 to {MOST_DELAY:,} s."
            )
        return float(value)


def check_names(service: str, options: Mapping[str, Any]) -> None:
    """Check that these are names of options; raise InvalidCall."""
    for name in options.keys() - CHECKS.keys():
        raise InvalidCall(f"{service}: there is no option {name}; there are {', '.join(CHECKS)}.")


def timeout_of_call(request: Request, options: Mapping[str, Any]) -> Any:
    """Return the timeout among these options, not checked yet.

    :raises InvalidCall: an option is given that only jobs have
    """
    for name, value in options.items():
        if name != "timeout" and not _is_empty(value):
            raise InvalidCall(f"{request}: {name} is an option of jobs; a call has only timeout.")
    return options.get("timeout")


def checked_list(requests: Any, kind: type[Request] | type[JobRequest]) -> list[Any]:
    """Return the requests as a list, not checked yet; raise InvalidCall or InvalidJob."""
    if isinstance(requests, str | Mapping) or not isinstance(requests, Iterable):
        wrong = InvalidJob if kind is JobRequest else InvalidCall
        raise wrong(f"requests is {shorten(requests)}; give a list of {kind.__name__} objects.")
    return list(requests)


@contextmanager
def _refusing(kind: type[InvalidCall], request: object) -> Iterator[None]:
    try:
        yield
    except _Wrong as wrong:
        named = f"{request}: " if isinstance(request, Request | JobRequest) else ""
        raise kind(f"{named}{wrong}") from None


def _is_empty(value: Any) -> bool:
    return value is None or value is False


def _instance(name: str, value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise _Wrong(f"{name} is {shorten(value)}; give a {kind.__name__}.")
    return value


def _with_arguments(request: Asked) -> Asked:
    _text("service", request.service)
    _text("method", request.method)
    args, kwargs = request.args, request.kwargs
    if isinstance(args, str):
        args = (args,)
    if not isinstance(args, list | tuple):
        raise _Wrong(f"args is {shorten(args)}; give a list or a tuple.")
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise _Wrong(f"kwargs is {shorten(kwargs)}; give a dictionary whose keys are texts.")
    return request if args is request.args else replace(request, args=args)


def _checked_options(options: JobOptions) -> JobOptions:
    given = {field.name: getattr(options, field.name) for field in fields(JobOptions)}
    return JobOptions(
        **{
            name: CHECKS[name](name, value)
            for name, value in given.items()
            if not _is_empty(value) and not (name in TEXTS and value == "")
        }
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{name} is {shorten(value)}; give a text.")
    if clean(value) != value:
        raise _Wrong(
            f"{name} is {shorten(value)}, with characters that PostgreSQL's texts cannot hold; "
            "leave them out."
        )
    return value


def _key(name: str, value: Any) -> str:
    if len(_text(name, value)) > MOST_KEY:
        raise _Wrong(
            f"{name} has {len(value):,} characters; give {MOST_KEY} at most, such as a hash."
        )
    return str(value)


def _seconds(name: str, value: Any, most: float = MOST) -> float:
    if not _is_number(value) or not 0 < value <= most:
        raise _Wrong(
            f"{name} is {shorten(value)}; give a number of seconds above 0 and at most {most:,}."
        )
    return float(value)


def _seconds_of(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _period(name: str, value: Any) -> float:
    return _seconds(name, _seconds_of(value))


def _whole(least: int) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
            raise _Wrong(
                f"{name} is {shorten(value)}; give a whole number from {least:,} to {MOST:,}."
            )
        return value

    return check


def _moment(name: str, value: Any) -> datetime:
    """Return the time in UTC, rounded up to whole seconds; without a zone, it is UTC."""
    if not isinstance(value, datetime):
        raise _Wrong(f"{name} is {shorten(value)}; give a datetime in UTC.")
    try:
        moment = value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
        return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))
    except OverflowError:
        raise _Wrong(f"{name} is {shorten(value)}, which is not in the years of UTC.") from None


def _delays(name: str, value: Any) -> list[float]:
    if not isinstance(value, list | tuple) or not all(
        _is_number(delay) and 0 <= delay <= MOST_DELAY for delay in value
    ):
        raise _Wrong(
            f"{name} is {shorten(value)}; give a list of seconds, each from 0 to {MOST_DELAY:,}."
        )
    return list(value)


def _names(name: str, value: Any) -> list[str]:
    """Return a list of names of exceptions; a text is one name."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset) or not all(map(_is_name, names)):
        raise _Wrong(
            f"{name} is {shorten(value)}; give a list of names of exceptions as texts, such as "
            '["ValueError"], or "*".'
        )
    return [_text(name, each) for each in names]


def _one_of(*choices: str) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        if value not in choices:
            raise _Wrong(f"{name} is {shorten(value)}; give one of {', '.join(choices)}.")
        return value

    return check


def _record(name: str, value: Any) -> models.BaseModel | None:
    if not isinstance(value, models.BaseModel) or len(value) > 1:
        raise _Wrong(f"{name} is {shorten(value)}; give one record.")
    return _saved(name, value) or None


def _jobs(name: str, value: Any) -> models.BaseModel:
    if not isinstance(value, models.BaseModel) or value._name != "nameko.job":
        raise _Wrong(f"{name} is {shorten(value)}; give records of nameko.job.")
    return _saved(name, value)


def _saved(name: str, records: models.BaseModel) -> models.BaseModel:
    if not are_saved(records):
        raise _Wrong(f"{name} is {shorten(records)}, which is not saved; save it first.")
    return records


def are_saved(records: models.BaseModel) -> bool:
    """Return whether all have a valid id; records in an unsaved form have none."""
    return all(type(each) is int and 0 < each <= MOST for each in records._ids)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "," not in value and value == value.strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "record": _record,
    "result_field": _text,
    "on_result": _text,
    "on_error": _text,
    "priority": _whole(-MOST),
    "eta": _moment,
    "identity_key": _key,
    "unique_for": _period,
    "limit_key": _key,
    "most_at_once": _whole(1),
    "on_match": _one_of(*get_args(OnMatch)),
    "timeout": _seconds,
    "max_attempts": _whole(1),
    "max_again": _whole(1),
    "retry_delays": _delays,
    "retry_on": _names,
    "after": _jobs,
    "results_as": _one_of(*get_args(ResultsAs)),
}
