"""Run server actions of the type “Call a Nameko service” on records, with the user's rights."""

from collections.abc import Mapping
from typing import Any

import psycopg2

from odoo import models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from ...action.arguments import Scope, beyond, evaluated, requests
from ...action.expression.evaluate import context_of
from ...action.expression.record_view import Limit
from ...action.outcomes import Outcomes, named, post, result_for_user, shown
from ...action.results import NotThere, field_value, part_of
from ...broker.amqp.request import Request
from ...exceptions import NamekoError, ResultNotWritten, UnusableExpression, UnusableResult
from ...tools.locks import is_under_way

RUNNING = "nameko_running_actions"  # in the context: a RunningActions
SCHEDULED = "nameko_scheduled"  # in the context: BY_THE_SCHEDULER, if the scheduler runs the action
BY_THE_SCHEDULER = object()  # a context from the web client cannot contain it


class RunningActions(frozenset[int]):
    """The ids of actions whose results are being written; the web client cannot send it."""


def running_actions(context: Mapping[str, Any]) -> RunningActions:
    running = context.get(RUNNING)
    return running if isinstance(running, RunningActions) else RunningActions()


class IrActionsServer(models.Model):
    """`self` is in superuser mode, as Odoo runs actions. The targets have the user's rights, and
    everything is read, sent and written through them.
    """

    _inherit = "ir.actions.server"

    def _run_action_nameko_multi(
        self, eval_context: dict[str, Any] | None = None
    ) -> dict[str, Any] | bool:
        """Call the service for each record, or enqueue a job for each.

        :return: a notification, or False if the record itself shows what happened
        :raises odoo.exceptions.AccessError: the user may not do this; nothing was sent
        :raises exceptions.NamekoError: all targets failed, and the action is configured to raise
        """
        if self.id in running_actions(self.env.context):  # its own result triggered a rule
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
        wanted = requests(self, list(targets) or [targets])
        if self.nameko_when == "later":
            return result_for_user(self, self._nameko_delay(wanted))
        return result_for_user(self, self._nameko_take(self._nameko_call(wanted)))

    # Who may run it, and on which records

    def _nameko_is_allowed(self) -> bool:
        """Return whether a group of the action or the schedule allows this user explicitly."""
        scheduled = self.env.context.get(SCHEDULED) is BY_THE_SCHEDULER
        return scheduled or bool(self.group_ids & self.env.user.all_group_ids)

    def _nameko_check_caller(self) -> None:
        """Refuse portal and public users, whatever triggered the action."""
        user = self.env.user
        if not (user._is_internal() or self.group_ids & user.all_group_ids):
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
            return selected.sudo(False).union()  # each once
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
        domain = evaluated(self, expression, Scope(model, context_of(model.env, limit)), "domain")
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
        """Return those records that the domain also finds with the designer's rights."""
        try:
            within = limit.of(found).search(Domain(domain) & Domain("id", "in", found.ids))
        except AccessError as error:
            raise beyond(self, error) from error
        ids = set(within.ids)
        return found.filtered(lambda record: record.id in ids)

    def _nameko_check_access(self, targets: models.BaseModel) -> None:
        """Raise AccessError, before anything is sent, if the result could not be written."""
        self._nameko_check_rights(targets)
        if limit := self._nameko_limit:
            try:
                self._nameko_check_rights(limit.of(targets))
            except AccessError as error:
                raise beyond(self, error) from error

    def _nameko_check_rights(self, targets: models.BaseModel) -> None:
        targets.check_access("read")
        if self.nameko_result_kind == "field":
            targets.check_access("write")
            field = targets._fields[self.nameko_result_field_id.name]
            targets._check_field_access(field, "write")
        if targets and "chatter" in (self.nameko_result_kind, self.nameko_on_error):
            targets.check_access(targets._mail_post_access)

    def _nameko_check_click(self, targets: models.BaseModel) -> None:
        """Raise UserError if an earlier click is running this action on the same records."""
        of_user = (
            "" if targets else f" of {self.env.uid}"
        )  # without a record, users do not block each other
        if is_under_way(targets, f"{self._name} {self.id}{of_user}"):
            raise UserError(
                self.env._(
                    "“%s” is already running, after an earlier click. Wait until it is done.",
                    self.name,
                )
            )

    # Now

    def _nameko_call(self, requests: Outcomes) -> Outcomes:
        """Return, by target, the answer or the error."""
        wanted = {t: each for t, each in requests.items() if isinstance(each, Request)}
        if not wanted:
            return requests
        rpc = next(iter(wanted)).env["nameko.rpc"]
        answers = rpc.call_many(list(wanted.values()), timeout=self.nameko_timeout or None)
        return {**requests, **dict(zip(wanted, answers, strict=True))}

    def _nameko_take(self, answers: Outcomes) -> Outcomes:
        """Write the answers; return, by target, the written value or the error."""
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
        """Return the value to write for an answer; raise UnusableResult if it does not fit."""
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
        """Write all of these in a savepoint; return the error that rolled it back, or None."""
        return self.env["nameko.job"]._in_savepoint(lambda: self._nameko_write(values))

    def _nameko_write(self, values: Outcomes) -> None:
        running = RunningActions({*running_actions(self.env.context), self.id})
        records = {target.with_context(**{RUNNING: running}): values[target] for target in values}
        if self.nameko_result_kind == "field":
            if limit := self._nameko_limit:
                self._nameko_write_and_roll_back(
                    {limit.of(r): value for r, value in records.items()}
                )
            self._nameko_write_field(records)
        elif self.nameko_result_kind == "chatter":
            for record, value in records.items():
                post(record, self._nameko_answered(value))

    def _nameko_write_field(self, values: Outcomes) -> None:
        for record, value in values.items():
            record.write({self.nameko_result_field_id.name: value})

    def _nameko_write_and_roll_back(self, values: Outcomes) -> None:
        """Write with the designer's rights and roll back, to run the model's own checks for them.

        :raises odoo.exceptions.AccessError: the designer may not write this
        """
        quiet = {"tracking_disable": True, "mail_notrack": True}
        savepoint = self.env.cr.savepoint()
        try:
            self._nameko_write_field({r.with_context(**quiet): values[r] for r in values})
            self.env.flush_all()
        except AccessError as error:
            raise beyond(self, error) from error
        finally:
            savepoint.close(rollback=True)

    def _nameko_not_written(self, target: models.BaseModel, error: Exception) -> Exception:
        if isinstance(error, AccessError | NamekoError):
            return error
        return ResultNotWritten(
            self.env._(
                "%(service)s.%(method)s has answered, but the result could not be written into "
                "%(record)s: %(reason)s",
                service=self.nameko_service,
                method=self.nameko_method,
                record=named(target),
                reason=str(error) or type(error).__name__,
            )
        )

    def _nameko_answered(self, value: Any) -> str:
        return self.env._(
            "%(service)s.%(method)s answered: %(answer)s",
            service=self.nameko_service,
            method=self.nameko_method,
            answer=value if isinstance(value, str) else shown(value),
        )
