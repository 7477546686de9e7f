"""Write answers into records: into a field, or with a callback, which may ask again."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from odoo import fields, models
from odoo.exceptions import MissingError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS
from odoo.tools import groupby

from ...action.results import field_value
from ...exceptions import InvalidJob
from ...job_store import answers as store
from ...job_store.events import Answer, Pace, Postponed
from ...job_store.monitoring.attempts import note_failed
from ...job_store.rows import Row
from ...tools import job_errors
from ...tools.job_request import Again, JobRequest
from ...tools.option_checks import checked_delay, checked_job
from ...tools.parameters import JOB_MAX_AGAIN
from .nameko_rpc_delay import checked_callback

_logger = logging.getLogger(__name__)
TOGETHER = 50  # results of a field that are written at once
Outcome = Exception | Again | None  # of a callback; an exception rolled it back


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    asked_again = fields.Integer(
        readonly=True, aggregator=None,
        help="How often its callback has had it ask the service again.",
    )  # fmt: skip
    max_again = fields.Integer("Asked Again at Most", readonly=True, aggregator=None)
    sendings_before = fields.Integer(
        readonly=True, aggregator=None,
        help="The highest number of a request from before it was asked again. Answers to these "
        "requests do not count any more.",
    )  # fmt: skip

    def _run_all(self, answers: Iterable[Answer], pace: Pace) -> Iterable[tuple[Answer, Outcome]]:
        group_key = attrgetter("row.user_id", "row.company_id", "row.language", "key")
        for _, group in groupby((a for a in answers if a.key), key=group_key):
            yield from self._run_group(group, pace)

    def _run_group(self, group: Sequence[Answer], pace: Pace) -> Iterable[tuple[Answer, Outcome]]:
        """Write answers of one user and callback; results of a field together, if possible."""
        together = TOGETHER if group[0].field else 1
        for start in range(0, len(group), together):
            yield from self._run_some(group[start : start + together], pace)

    def _run_some(self, some: Sequence[Answer], pace: Pace) -> Iterable[tuple[Answer, Outcome]]:
        if pace.is_over():
            yield from ((answer, Postponed()) for answer in some)
            return
        pace.begins(some[0].row.uuid, some[0].key, len(some))
        again: list[Again] = []
        problem = self._in_savepoint(partial(self._run, some, again))
        pace.ends()
        if problem is None or len(some) == 1:
            yield some[0], problem or next(iter(again), None)
        else:
            for answer in some:
                yield from self._run_some([answer], pace)

    def _run(self, some: Sequence[Answer], again: list[Again]) -> None:
        """Write results into a field, or call a callback; add to `again` what it asks for."""
        if some[0].field:
            self._write_fields(some)
            return
        for answer in some:
            row = answer.row
            returned = self._call(row, answer.callback, answer.error or answer.reply.result)
            if isinstance(returned, Again):
                self._ask_again(answer, returned)
                again.append(returned)

    def _write_fields(self, group: Sequence[Answer]) -> None:
        first = group[0].row
        model = self._target_model(first).with_context(nameko_job=False)
        target = model._fields.get(first.result_field)
        if target is None:
            text = self.env._("%(model)s has no field %(field)s any more.",
                              model=first.res_model, field=first.result_field)  # fmt: skip
            raise InvalidJob(text)
        records = model.browse(answer.row.res_id for answer in group)
        if missing := records - records.exists():
            raise job_errors.record_gone(missing[0])
        for record, answer in zip(records, group, strict=True):
            record.write({target.name: field_value(target, answer.reply.result)})

    def _call(self, row: Row, method: str | None, argument: Any) -> Any:
        record = self._target_model(row).browse(row.res_id)
        if not record.exists():
            raise job_errors.record_gone(record)
        return getattr(record, checked_callback(record, method or ""))(argument)

    def _target_model(self, row: Row) -> models.BaseModel:
        if row.res_model not in self.env:
            text = self.env._("The model %s is not installed any more.", row.res_model)
            raise MissingError(text)
        return self._env_of(row)[row.res_model]

    def _in_savepoint(self, action: Callable[[], None]) -> Exception | None:
        """Run the action in a savepoint; return the error that rolled it back, or None."""
        try:
            with self.env.cr.savepoint():
                action()
        except CONFLICTS as error:
            return error
        except Exception as error:  # it concerns only this job
            if self.env.cr.connection.closed:
                raise
            is_odd = not isinstance(error, UserError)  # its text is enough
            _logger.info("An error rolled the savepoint back: %s", error, exc_info=is_odd)
            return error
        return None

    # Asking again

    def _ask_again(self, answer: Answer, again: Again) -> None:
        """Set a job to pending for its next round, in the savepoint of its callback.

        :raises exceptions.NamekoError: it may not be asked again, or `again` is invalid
        """
        row = answer.row
        env = self._env_of(row)
        seconds = checked_delay(f"{row.service}.{row.method}", again.seconds)
        most = row.max_again or int(JOB_MAX_AGAIN.value(env))
        if (row.asked_again or 0) >= most:
            raise job_errors.asked_too_often(env, answer, most)
        env["nameko.rpc"]._check_allowed(row.service)
        if not store.ask_again(self.env.cr, row, seconds, self._arguments_again(row, again)):
            raise InvalidJob(env._("Another job has the identity key of this one now."))

    def _arguments_again(self, row: Row, again: Again) -> str | None:
        """Return the arguments of the next round as JSON; None if they stay the same."""
        if again.args is None and again.kwargs is None:
            return None
        request = JobRequest(row.service, row.method, again.args or (), again.kwargs or {})
        return str(self._env_of(row)["nameko.rpc"]._encode_arguments(checked_job(request)))

    def _after_asked_again(self, answers: Collection[Answer]) -> None:
        """Store the failed attempts of jobs that are asked again; make open views reload."""
        rows = [answer.row for answer in answers]
        failed = [(a.row, a.error) for a in answers if a.error and a.row.state == "sent"]
        note_failed(self.env.cr, failed)
        self._forget_rows(rows)
        changed = {(self._name, row.id) for row in rows}
        self.env["nameko.live"]._note(changed | {(row.res_model, row.res_id) for row in rows})
