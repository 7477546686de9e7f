"""Replies become results: written as the user who asked, each exactly once."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from odoo import api, models
from odoo.exceptions import MissingError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import groupby

from ..exceptions import NamekoError, RemoteError, user_error
from .nameko_job import LIVE
from .nameko_job_values import field_value
from .nameko_rpc_delay import check_callback

if TYPE_CHECKING:
    from ..broker.jobs_reply import Reply

_logger = logging.getLogger(__name__)
NUL = "\0"  # which PostgreSQL's texts cannot hold


@dataclass(frozen=True)
class Row:
    """What is needed of a job to finish it."""

    id: int
    uuid: str
    state: str
    service: str
    method: str
    res_model: str | None
    res_id: int | None
    result_field: str | None
    on_result: str | None
    on_error: str | None
    user_id: int
    company_id: int
    language: str | None
    attempts: int
    max_attempts: int
    retry_on: str | None
    error_type: str | None

    def retries(self, error_type: str) -> bool:
        """Tell whether it is tried again after this exception of the service's."""
        wanted = (self.retry_on or "").split(",")
        return self.attempts < self.max_attempts and (error_type in wanted or "*" in wanted)


@dataclass(frozen=True)
class Finish:
    """How a job ends: with its `result` as JSON, an `error`, or both where it was not written."""

    row: Row
    result: str | None = None
    error: Exception | None = None
    state: str | None = None

    def values(self) -> dict[str, Any]:
        error_type, message = describe(self.error) if self.error else (None, None)
        return {
            "id": self.row.id,
            "state": self.state or ("failed" if self.error else "done"),
            "result": self.result,
            "error_type": error_type,
            "error_message": message,
        }


def describe(error: Exception) -> tuple[str, str]:
    """Give an error's type and message as a job keeps them: of a remote one, the service's."""
    kind = type(error).__name__
    if isinstance(error, RemoteError) and error.error is not None:
        kind = getattr(error.error, "exc_type", "") or kind
    return kind.replace(NUL, ""), str(error).replace(NUL, "") or kind


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    @api.private
    def apply_replies(self, replies: Sequence["Reply"]) -> set[str]:
        """Finish the jobs that these replies answer, in the current transaction.

        A reply to a job that has finished already is dropped. Whoever calls this commits, and then
        acknowledges the replies.

        :return: the uuids that name no job
        :raises psycopg2.Error: one of PG_CONCURRENCY_EXCEPTIONS_TO_RETRY: roll back and do it again
        """
        rows = self._lock_rows([reply.uuid for reply in replies])
        first = {reply.uuid: reply for reply in reversed(replies)}
        answered = [(row, first[row.uuid]) for row in rows.values() if row.state in LIVE]
        self._finish_answered(answered)
        return first.keys() - rows.keys()

    @api.model
    @api.private
    def fail_reply(self, reply: "Reply", error: Exception) -> None:
        """Finish a job whose result could not be committed; the result is kept."""
        for row in self._lock_rows([reply.uuid]).values():
            if row.state in LIVE:
                self._write_finished([Finish(row, reply.text, error)])

    @api.model
    def _lock_rows(self, uuids: Sequence[str]) -> dict[str, Row]:
        self.env.cr.execute(
            f"SELECT {', '.join(Row.__annotations__)} FROM nameko_job"  # noqa: S608  constants
            " WHERE uuid = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [list(uuids)],
        )
        rows = [Row(*values) for values in self.env.cr.fetchall()]
        return {row.uuid: row for row in rows}

    def _finish_answered(self, answered: Sequence[tuple[Row, "Reply"]]) -> None:
        results = [(row, reply) for row, reply in answered if not (reply.error or reply.unreadable)]
        # A pending job is sent again anyway: only the error of a sent one says how it ended.
        refusals = [
            (row, self._reply_error(row, reply))
            for row, reply in answered
            if (reply.error or reply.unreadable) and row.state == "sent"
        ]
        again = [row for row, error in refusals if row.retries(describe(error)[0])]
        self.retry_later([row.id for row in again])
        finished = self._apply_results(results)
        finished += self._tell_errors([(row, error) for row, error in refusals if row not in again])
        self._write_finished(finished)

    def _reply_error(self, row: Row, reply: "Reply") -> NamekoError:
        from ..broker.jobs_reply import error_of  # noqa: PLC0415  loads kombu

        return user_error(error_of(reply, row.service, row.method), self._env_of(row)._)

    def _env_of(self, row: Row) -> api.Environment:
        """The user who asked, in the company and language of that moment."""
        context = {"allowed_company_ids": [row.company_id], "nameko_job": row.uuid}
        if row.language:
            context["lang"] = row.language
        return self.env(user=row.user_id, su=False, context=context)

    # Results

    def _apply_results(self, results: Sequence[tuple[Row, "Reply"]]) -> list[Finish]:
        key = attrgetter("user_id", "company_id", "language", "res_model", "result_field")
        finished: list[Finish] = []
        for (*_, field), group in groupby(results, key=lambda each: key(each[0])):
            finished += self._apply_group(group, field)
        return finished

    def _apply_group(self, group: Sequence[tuple[Row, "Reply"]], field: str | None) -> list[Finish]:
        """Finish jobs of one user and field: together where that works, else each on its own."""
        together = bool(field) and len(group) > 1
        if together and self._in_savepoint(lambda: self._write_fields(group)) is None:
            return [Finish(row, reply.text) for row, reply in group]
        return [self._apply_one(row, reply) for row, reply in group]

    def _apply_one(self, row: Row, reply: "Reply") -> Finish:
        if row.result_field:
            error = self._in_savepoint(lambda: self._write_fields([(row, reply)]))
        elif row.on_result:
            error = self._in_savepoint(lambda: self._call(row, row.on_result, reply.result))
        else:
            error = None
        return Finish(row, reply.text, error)

    def _write_fields(self, group: Sequence[tuple[Row, "Reply"]]) -> None:
        first = group[0][0]
        model = self._env_of(first)[first.res_model].with_context(nameko_job=False)
        field = model._fields[first.result_field]
        records = model.browse(row.res_id for row, _ in group)
        if missing := records - records.exists():
            raise MissingError(self.env._("The records %s do not exist any more.", missing.ids))
        for record, (_, reply) in zip(records, group, strict=True):
            record.write({field.name: field_value(field, reply.result)})

    def _call(self, row: Row, method: str | None, argument: Any) -> None:
        record = self._env_of(row)[row.res_model].browse(row.res_id)
        if not record.exists():
            raise MissingError(self.env._("The record %s does not exist any more.", record))
        getattr(record, check_callback(record, method or ""))(argument)

    def _in_savepoint(self, action: Callable[[], None]) -> Exception | None:
        """Run it and give the error that undid it; one of the database's is raised."""
        try:
            with self.env.cr.savepoint():
                action()
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception as error:  # whatever it is, it is this job's alone
            if self.env.cr.connection.closed:
                raise
            _logger.info("A job's result could not be written: %s", error, exc_info=True)
            return error
        return None

    # Errors

    def _tell_errors(self, failed: Sequence[tuple[Row, Exception]]) -> list[Finish]:
        """Call `on_error` where it is wanted."""
        return [self._tell_error(row, error) for row, error in failed]

    def _tell_error(self, row: Row, error: Exception, state: str = "failed") -> Finish:
        problem = None
        if row.on_error:
            problem = self._in_savepoint(lambda: self._call(row, row.on_error, error))
        if problem:
            text = self.env._("%(error)s\n%(method)s failed, too: %(problem)s",
                              error=error, method=row.on_error, problem=problem)  # fmt: skip
            error = type(error)(text) if isinstance(error, NamekoError) else RuntimeError(text)
        return Finish(row, None, error, state)

    # The rows

    def _write_finished(self, finished: Collection[Finish]) -> None:
        if not finished:
            return
        self.env.cr.execute(
            """
            UPDATE nameko_job job
               SET state = told.state, is_ready = false, is_waiting = false, eta = NULL,
                   deadline = NULL, done_at = now() AT TIME ZONE 'UTC',
                   seconds = extract(epoch FROM now() AT TIME ZONE 'UTC' - job.create_date),
                   progress = CASE WHEN told.state = 'done' THEN 100 ELSE job.progress END,
                   has_result = told.result IS NOT NULL, result = told.result,
                   error_type = told.error_type, error_message = told.error_message
              FROM json_to_recordset(%s) AS told(
                       id int, state text, result text, error_type text, error_message text)
             WHERE job.id = told.id
            RETURNING EXISTS (SELECT FROM nameko_job_predecessor WHERE predecessor_id = job.id)
            """,
            [json.dumps([each.values() for each in finished])],
        )
        if any(is_awaited for (is_awaited,) in self.env.cr.fetchall()):
            self._notify_finished()
        self.browse(each.row.id for each in finished).invalidate_recordset(flush=False)

    def _apply_kept_results(self) -> None:
        """Write the results of failed jobs that have one."""
        from ..broker.jobs_body import decode  # noqa: PLC0415  loads kombu
        from ..broker.jobs_reply import Reply  # noqa: PLC0415

        rows: Mapping[str, Row] = self._lock_rows(self.filtered("has_result").mapped("uuid"))
        kept = {job.uuid: job.result for job in self if job.uuid in rows}
        self._write_finished(
            self._apply_results(
                [
                    (row, Reply(uuid, kept[uuid], decode(kept[uuid])))
                    for uuid, row in rows.items()
                    if row.state == "failed"
                ]
            )
        )
