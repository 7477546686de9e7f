"""The errors of failed jobs, in the language of the job's user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odoo import api, models
from odoo.exceptions import MissingError

from ..exceptions import (
    AskedTooOften,
    CallTimeout,
    NamekoError,
    ResultNotWritten,
    UnknownService,
    user_error,
)
from ..job_store.events import Answer, GivenUp
from ..job_store.rows import Row
from .texts import clean

if TYPE_CHECKING:
    from ..broker.jobs.reply import ArrivedReply, Reply


def reply_error(env: api.Environment, row: Row, reply: Reply | ArrivedReply) -> NamekoError:
    """Return the error that a service answered with."""
    from ..broker.jobs.reply import Reply, error_of  # noqa: PLC0415  loads kombu

    reply = Reply(reply.uuid, error=clean(reply.error), unreadable=reply.unreadable)
    return user_error(error_of(reply, row.service, row.method), env)


def no_answer(env: api.Environment, row: Row) -> NamekoError:
    """Return the error of a job without an answer to any attempt in time."""
    if row.error_type == "UnknownService":
        return UnknownService(
            env._(
                "The message broker did not know the service “%(service)s” at any of "
                "%(attempts)s attempts. Start the service, then retry the job.",
                service=row.service,
                attempts=row.attempts,
            )
        )
    return CallTimeout(
        env._(
            "%(service)s.%(method)s did not answer any of %(attempts)s attempts in time. It "
            "may have been executed. Check the service, then retry the job.",
            service=row.service,
            method=row.method,
            attempts=row.attempts,
        )
    )


def service_away(env: api.Environment, row: Row) -> NamekoError:
    """Return the error of a job whose service had no queue for the whole timeout."""
    return UnknownService(
        env._(
            "The service “%(service)s” has run before, but its queue was gone from the "
            "message broker for as long as the job may take. Start the service, then retry "
            "the job.",
            service=row.service,
        )
    )


def not_written(
    env: api.Environment, row: Row, given_up: GivenUp, *, has_result: bool
) -> NamekoError:
    """Return the error of a job whose callback crashed relays, or did not return.

    has_result: whether the callback was for a result, which is kept, or for an error
    """
    method = (row.result_field or row.on_result) if has_result else row.on_error
    values = {
        "target": f"{row.res_model}.{method}",
        "number": f"{given_up.number:g}",
        "button": env._("Write Result Again") if has_result else env._("Retry"),
    }
    if given_up.why == "deadly":
        text = env._(
            "The relay ended %(number)s times while it ran %(target)s for this job, so Odoo does "
            "not try again. Correct this method, then press “%(button)s”.",
            **values,
        )
    else:
        text = env._(
            "%(target)s did not return within %(number)s seconds, so nothing was written. "
            "Have it do less, then press “%(button)s”.",
            **values,
        )
    return ResultNotWritten(text)


def asked_too_often(env: api.Environment, answer: Answer, most: int) -> NamekoError:
    """Return the error of a job whose callback asks again more often than it may."""
    return AskedTooOften(
        env._(
            "%(target)s has had the service asked again %(most)s times, and may not do so more "
            "often. Have it stop earlier, or raise max_again, then retry the job.",
            target=f"{answer.row.res_model}.{answer.callback}",
            most=most,
        )
    )


def record_gone(record: models.BaseModel) -> MissingError:
    """Return the error of a job whose record was deleted."""
    model = record.env["ir.model"].sudo()._get(record._name).name
    text = record.env._("The record (%(model)s, ID %(id)s) no longer exists.",
                        model=model, id=record.id)  # fmt: skip
    return MissingError(text)


def both_errors(env: api.Environment, row: Row, error: Exception, problem: Exception) -> Exception:
    """Return a job's error, with the note that its `on_error` failed too."""
    text = env._("%(error)s\n%(method)s failed, too: %(problem)s",
                 error=error, method=row.on_error, problem=problem)  # fmt: skip
    if isinstance(error, NamekoError):
        return type(error)(text, error.error)
    return RuntimeError(text)
