"""The kind of server action “Call a Nameko service”: running it on records, as who asked."""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg2

from odoo import models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from ..broker.amqp.request import Request
from ..exceptions import NamekoError, ResultNotWritten, UnusableExpression, UnusableResult
from ..tools.client_actions import notification
from ..tools.expression.evaluate import InvalidExpression, context_of, evaluate
from ..tools.expression.record_view import BeyondLimitError, Limit, RecordView
from ..tools.locks import is_under_way
from ..tools.results import NotThere, field_value, part_of

_logger = logging.getLogger(__name__)
RUNNING = "nameko_running_actions"  # in the context: a RunningActions
SCHEDULED = "nameko_scheduled"  # in the context: BY_THE_SCHEDULER, where it runs the action
BY_THE_SCHEDULER = object()  # what a context holds that came over the web, it cannot be
ERRORS_SHOWN = 3

# What came of each target: a value, or the error that it met. A target is a record, or the empty
# recordset for a call without one.
Outcomes = dict[models.BaseModel, Any]


class RunningActions(frozenset[int]):
    """The actions whose results are being written; a context from the web holds none."""


def running_actions(context: Mapping[str, Any]) -> RunningActions:
    running = context.get(RUNNING)
    return running if isinstance(running, RunningActions) else RunningActions()


class IrActionsServer(models.Model):
    """In all that follows `self` has all rights, as Odoo runs actions, and the targets have not:
    they are the user's, and whatever is read, sent or written goes through them.
    """

    _inherit = "ir.actions.server"

    def _run_action_nameko_multi(
        self, eval_context: dict[str, Any] | None = None
    ) -> dict[str, Any] | bool:
        """Call the service for each record, or make a job for each.

        :return: a notification, or False where the records themselves show what happened
        :raises odoo.exceptions.AccessError: before anything was sent
        :raises exceptions.NamekoError: where nothing came of it and the user is to be told
        """
        if self.id in running_actions(self.env.context):  # a rule that its own result has set off
            return False
        by_code = bool(eval_context and eval_context["env"].su)
        self._nameko_check_caller()
        targets = self._nameko_targets(eval_context or {})
        if not (by_code or self._nameko_is_allowed()):
            targets.check_access("write")
        self._nameko_check_access(targets)
        if not targets and self.nameko_by_domain:
            return False
        if not by_code:
            self._nameko_check_click(targets)
        requests = self._nameko_requests(list(targets) or [targets])
        if self.nameko_when == "later":
            return self._nameko_told(self._nameko_delay(requests))
        return self._nameko_told(self._nameko_take(self._nameko_call(requests)))

    # Who may run it, and on which records

    def _nameko_is_allowed(self) -> bool:
        """Tell whether this user is allowed explicitly: by a group, or by the schedule."""
        scheduled = self.env.context.get(SCHEDULED) is BY_THE_SCHEDULER
        return scheduled or bool(self.group_ids & self.env.user.all_group_ids)

    def _nameko_check_caller(self) -> None:
        """Refuse portal and public users, whatever set the action off."""
        if not (self.env.user._is_internal() or self._nameko_is_allowed()):
            raise AccessError(
                self.env._(
                    "“%s” calls a service, which only internal users may do. An administrator "
                    "allows it to others by adding a group of theirs to the action.",
                    self.name,
                )
            )

    # On what

    def _nameko_targets(self, eval_context: Mapping[str, Any]) -> models.BaseModel:
        """Return the selected records, or those of the action's domain, with the user's rights."""
        selected = eval_context.get("records") or eval_context.get("record")
        if selected:
            return selected.sudo(False)
        model = self.env[self.model_id.model].sudo(False)
        if self.nameko_by_domain:
            return self._nameko_matching(model)
        if self.nameko_result_kind != "nothing":
            raise UserError(
                self.env._(
                    "“%s” has no record for its result. Select a record, or tick Run on Records "
                    "That Match in the action.",
                    self.name,
                )
            )
        return model

    def _nameko_matching(self, model: models.BaseModel) -> models.BaseModel:
        """Return the records of the action's domain."""
        expression, limit = self.nameko_domain or "[]", self._nameko_limit
        domain = self._nameko_evaluated(expression, context_of(model.env, limit), "domain", model)
        try:
            with self.env.cr.savepoint():
                found = model.search(domain)
                return self._nameko_within(found, domain, limit) if limit else found
        except (TypeError, ValueError, AttributeError, psycopg2.DataError) as error:
            raise UnusableExpression(
                self.env._(
                    "“%(domain)s” is not a domain: %(reason)s", domain=expression, reason=str(error)
                )
            ) from error

    def _nameko_within(
        self, found: models.BaseModel, domain: Any, limit: Limit
    ) -> models.BaseModel:
        """Return those that the domain finds for the designer, too."""
        try:
            within = limit.of(found).search(Domain(domain) & Domain("id", "in", found.ids))
        except AccessError as error:
            raise self._nameko_beyond(error) from error
        ids = set(within.ids)
        return found.filtered(lambda record: record.id in ids)

    def _nameko_check_access(self, targets: models.BaseModel) -> None:
        """Refuse before anything is sent what could not be written after."""
        self._nameko_check_rights(targets)
        if limit := self._nameko_limit:
            try:
                self._nameko_check_rights(limit.of(targets))
            except AccessError as error:
                raise self._nameko_beyond(error) from error

    def _nameko_check_rights(self, targets: models.BaseModel) -> None:
        targets.check_access("read")
        if self.nameko_result_kind == "field":
            targets.check_access("write")
            field = targets._fields[self.nameko_result_field_id.name]
            targets._check_field_access(field, "write")
        if targets and "chatter" in (self.nameko_result_kind, self.nameko_on_error):
            targets.check_access(targets._mail_post_access)

    def _nameko_check_click(self, targets: models.BaseModel) -> None:
        """Raise UserError where an earlier click runs this action on the same records."""
        if is_under_way(targets, f"{self._name} {self.id}"):
            raise UserError(
                self.env._(
                    "“%s” is already running, after an earlier click. Wait until it is done.",
                    self.name,
                )
            )

    # What is asked

    def _nameko_requests(self, targets: list[models.BaseModel]) -> Outcomes:
        """Return the request of each target, or the error of an expression."""
        limit = self._nameko_limit
        names = context_of(targets[0].env, limit)
        return {
            target: self._nameko_request_or_error(
                target, {**names, "record": RecordView(target, limit)}
            )
            for target in targets
        }

    def _nameko_request_or_error(
        self, target: models.BaseModel, context: Mapping[str, Any]
    ) -> Request | UnusableExpression:
        try:
            return self._nameko_request(target, context)
        except UnusableExpression as error:
            return error

    def _nameko_request(self, target: models.BaseModel, context: Mapping[str, Any]) -> Request:
        values = [
            (row.kind, row.name, self._nameko_argument(row, context, target))
            for row in self.nameko_parameter_ids.sorted()
            if row.value
        ]
        return Request(
            self.nameko_service,
            self.nameko_method,
            tuple(value for kind, _name, value in values if kind == "positional"),
            {name: value for kind, name, value in values if kind == "keyword"},
        )

    def _nameko_argument(
        self, row: models.BaseModel, context: Mapping[str, Any], target: models.BaseModel
    ) -> Any:
        """Return the value of a parameter, which can be sent."""
        from ..broker.amqp.errors import NotSendable  # noqa: PLC0415  as the next
        from ..broker.jobs.body import encode_body  # noqa: PLC0415  loads kombu

        value = self._nameko_evaluated(row.value, context, row.name, target)
        try:
            encode_body(Request(self.nameko_service, self.nameko_method, (), {row.name: value}))
        except NotSendable as error:
            raise self._nameko_unusable(row.value, row.name, target, str(error)) from error
        return value

    def _nameko_evaluated(
        self, expression: str, context: Mapping[str, Any], name: str, target: models.BaseModel
    ) -> Any:
        try:
            return evaluate(expression, context)
        except InvalidExpression as error:
            raise self._nameko_unusable(expression, name, target, str(error)) from error
        except BeyondLimitError as error:
            raise self._nameko_beyond(error) from error
        except AccessError:
            raise
        except UserError as error:  # of a computed field
            raise self._nameko_unusable(expression, name, target, str(error)) from error

    def _nameko_unusable(
        self, expression: str, name: str, target: models.BaseModel, reason: str
    ) -> UnusableExpression:
        return UnusableExpression(
            self.env._(
                "“%(action)s” sent nothing for %(record)s, because its expression for “%(name)s”, "
                "%(expression)s, gives no value that can be sent: %(reason)s",
                action=self.name,
                record=_named(target),
                name=name,
                expression=expression,
                reason=reason,
            )
        )

    # Now

    def _nameko_call(self, requests: Outcomes) -> Outcomes:
        """Return the answer to each request, or the error that it met."""
        wanted = {t: each for t, each in requests.items() if isinstance(each, Request)}
        if not wanted:
            return requests
        rpc = next(iter(wanted)).env["nameko.rpc"]
        answers = rpc.call_many(list(wanted.values()), timeout=self.nameko_timeout or None)
        return {**requests, **dict(zip(wanted, answers, strict=True))}

    def _nameko_take(self, answers: Outcomes) -> Outcomes:
        """Write the answers; each target's result is written whole or not at all."""
        values = {
            target: self._nameko_value_or_error(target, answers[target]) for target in answers
        }
        good = {t: value for t, value in values.items() if not isinstance(value, Exception)}
        if len(good) > 1 and self._nameko_write_error(good) is None:
            return values
        for target, value in good.items():
            if error := self._nameko_write_error({target: value}):
                values[target] = self._nameko_not_written(target, error)
        return values

    def _nameko_value_or_error(self, target: models.BaseModel, answer: Any) -> Any:
        if isinstance(answer, NamekoError):
            return answer
        try:
            return self._nameko_value(target, answer)
        except UnusableResult as error:
            return error

    def _nameko_value(self, target: models.BaseModel, answer: Any) -> Any:
        """Return what is written for an answer; raises UnusableResult where it does not fit."""
        try:
            part = part_of(answer, self.nameko_result_path or "")
        except NotThere as error:
            raise UnusableResult(
                self.env._(
                    "%(service)s.%(method)s sent an answer that cannot be used: %(reason)s.",
                    service=self.nameko_service,
                    method=self.nameko_method,
                    reason=str(error),
                )
            ) from error
        if self.nameko_result_kind != "field":
            return part
        field = target._fields[self.nameko_result_field_id.name]
        value = field_value(field, part)
        if field.type == "selection" and value and value not in field.get_values(target.env):
            raise UnusableResult(
                self.env._(
                    "“%(value)s” is not an option of the field “%(field)s”.",
                    value=value,
                    field=field.name,
                )
            )
        return value

    def _nameko_write_error(self, values: Outcomes) -> Exception | None:
        """Write all of these or none; return the error that undid it."""
        return self.env["nameko.job"]._in_savepoint(lambda: self._nameko_write(values))

    def _nameko_write(self, values: Outcomes) -> None:
        running = RunningActions({*running_actions(self.env.context), self.id})
        for target, value in values.items():
            record = target.with_context(**{RUNNING: running})
            if self.nameko_result_kind == "field":
                record.write({self.nameko_result_field_id.name: value})
            elif self.nameko_result_kind == "chatter":
                self._nameko_post(record, self._nameko_answered(value))

    def _nameko_not_written(self, target: models.BaseModel, error: Exception) -> Exception:
        if isinstance(error, AccessError | NamekoError):
            return error
        return ResultNotWritten(
            self.env._(
                "%(service)s.%(method)s has answered, but the result could not be written into "
                "%(record)s: %(reason)s",
                service=self.nameko_service,
                method=self.nameko_method,
                record=_named(target),
                reason=str(error) or type(error).__name__,
            )
        )

    # Telling

    def _nameko_told(self, outcomes: Outcomes) -> dict[str, Any] | bool:
        """See to the errors as the action wants it, and tell how it went."""
        errors = {t: each for t, each in outcomes.items() if isinstance(each, Exception)}
        for target, error in errors.items():
            _logger.warning("Server action “%s” on %s: %s", self.name, target, error)
        if self.nameko_on_error == "chatter":
            for target, error in errors.items():
                self._nameko_post(target, str(error))
        if self.nameko_on_error == "raise" and errors and len(errors) == len(outcomes):
            raise self._nameko_all_failed(list(errors.values()))
        if len(outcomes) == 1 and self.nameko_when == "now":
            return False
        return self._nameko_notification(outcomes, errors)

    def _nameko_all_failed(self, errors: list[Exception]) -> Exception:
        if len(errors) == 1:
            return errors[0]
        return NamekoError(_first_lines(map(str, errors)))

    def _nameko_notification(self, outcomes: Outcomes, errors: Outcomes) -> dict[str, Any]:
        done = len(outcomes) - len(errors)
        message = (
            self.env._("%(done)s queued, %(failed)s failed", done=done, failed=len(errors))
            if self.nameko_when == "later"
            else self.env._("%(done)s done, %(failed)s failed", done=done, failed=len(errors))
        )
        told = map(str, errors.values()) if self.nameko_on_error == "raise" else ()
        return notification(
            _first_lines([f"{message}.", *told]),
            "warning" if errors else "success",
            title=self.name,
            sticky=bool(errors),
            reload=True,
        )

    def _nameko_post(self, target: models.BaseModel, text: str) -> None:
        """Post an internal note, as the user; a call without a record has no chatter."""
        if target:
            target.message_post(body=_storable(text), subtype_xmlid="mail.mt_note")

    def _nameko_answered(self, value: Any) -> str:
        return self.env._(
            "%(service)s.%(method)s answered: %(answer)s",
            service=self.nameko_service,
            method=self.nameko_method,
            answer=value if isinstance(value, str) else shown(value),
        )


def shown(value: Any) -> str:
    """Show arguments or an answer as the JSON that travels, as far as it is JSON."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, TypeError):  # an integer of thousands of digits
        return type(value).__name__


def _named(target: models.BaseModel) -> str:
    return (target.display_name if target else "") or target._description


def _first_lines(texts: Iterator[str] | list[str]) -> str:
    """Return the first few different ones."""
    return "\n".join(list(dict.fromkeys(texts))[: 1 + ERRORS_SHOWN])


def _storable(text: str) -> str:
    """Drop what PostgreSQL's texts cannot hold."""
    return text.replace("\0", "").encode(errors="replace").decode()
