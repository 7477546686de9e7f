"""The rows of jobs that are answered: locked, finished, or put back as they were."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from odoo import api, models

from ..exceptions import RemoteError
from ..texts import clean
from .nameko_job_dispatch import NOW

LEASE_SECONDS = 60  # for which a job whose answer waits in Odoo does not expire
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PUT_BACK = (
    "id", "state", "is_ready", "is_waiting", "eta", "progress", "attempts", "error_type",
    "error_message",
)  # fmt: skip
# Another attempt ends the same way: no "*" asks for it.
FINAL = frozenset({"RequestGivenUp", "RequestTooLarge", "ResultTooLarge"})
Key = tuple[str, str]  # a model and the method or field of it that takes results


@dataclass(frozen=True)
class Row:
    """What is needed of a job to finish it, or to put it back."""

    id: int
    uuid: str
    state: str
    is_ready: bool | None
    is_waiting: bool | None
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
    eta: datetime | None
    deadline: datetime | None
    attempts: int
    max_attempts: int
    sendings: int | None
    retry_on: str | None
    progress: float | None
    has_result: bool | None
    error_type: str | None
    error_message: str | None
    write_tries: int | None

    @property
    def attempt(self) -> int:
        """Which attempt was sent last, of all that there ever were."""
        return self.attempts if self.sendings is None else self.sendings

    def retries(self, error_type: str) -> bool:
        """Tell whether it is tried again after this exception of the service's."""
        wanted = (self.retry_on or "").split(",")
        is_wanted = error_type in wanted or ("*" in wanted and error_type not in FINAL)
        return self.attempts < self.max_attempts and is_wanted


COLUMNS = ", ".join(f"job.{column}" for column in Row.__annotations__)


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
    """Return an error's type and message as a job keeps them: of a remote one, the service's."""
    kind = type(error).__name__
    if isinstance(error, RemoteError) and error.error is not None:
        kind = str(getattr(error.error, "exc_type", "") or kind)
    return clean(kind), clean(str(error)) or kind


class NamekoJob(models.Model):
    _inherit = "nameko.job"

    @api.model
    def _lock_free_rows(self, uuids: Iterable[str]) -> tuple[dict[str, Row], set[str]]:
        """Lock the jobs that nobody else has locked; return them, and which are locked."""
        wanted = [uuid for uuid in uuids if UUID.fullmatch(uuid)]
        self.env.cr.execute(
            f"SELECT {COLUMNS} FROM nameko_job job"  # noqa: S608  constants
            " WHERE uuid = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [wanted],
        )
        rows = {row.uuid: row for row in (Row(*values) for values in self.env.cr.fetchall())}
        missing = [uuid for uuid in wanted if uuid not in rows]
        if not missing:
            return rows, set()
        self.env.cr.execute("SELECT uuid FROM nameko_job WHERE uuid = ANY(%s)", [missing])
        return rows, {uuid for (uuid,) in self.env.cr.fetchall()}

    @api.model
    def _locked_targets(self, targets: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Lock the records that nobody else has locked; return the others that exist."""
        by_model: dict[str, list[int]] = {}
        for model, res_id in targets:
            by_model.setdefault(model, []).append(res_id)
        return {
            (model, res_id)
            for model, ids in by_model.items()
            for res_id in self._locked_ids(model, ids)
        }

    def _locked_ids(self, model: str, ids: Sequence[int]) -> set[int]:
        if model not in self.env.registry or not self.env.registry[model]._auto:
            return set()
        if self.env.registry[model]._abstract:
            return set()
        table = self.env.registry[model]._table
        self.env.cr.execute(
            f'SELECT id FROM "{table}" WHERE id = ANY(%s)'  # noqa: S608  a model's own table
            " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [list(ids)],
        )
        others = set(ids) - {res_id for (res_id,) in self.env.cr.fetchall()}
        if not others:
            return set()
        self.env.cr.execute(
            f'SELECT id FROM "{table}" WHERE id = ANY(%s)',  # noqa: S608  a model's own table
            [list(others)],
        )
        return {res_id for (res_id,) in self.env.cr.fetchall()}

    def _write_finished(self, finished: Collection[Finish]) -> None:
        """Write how these jobs ended; have those looked at that wait for them.

        A result proves an attempt, also one that counted as not sent since the broker fell silent.
        """
        if not finished:
            return
        self.env.cr.execute(
            """
            UPDATE nameko_job job
               SET state = told.state, is_ready = false, is_waiting = false, eta = NULL,
                   deadline = NULL, done_at = now() AT TIME ZONE 'UTC',
                   seconds = CASE WHEN job.state = 'sent' THEN
                       extract(epoch FROM now() AT TIME ZONE 'UTC' - job.sent_at)
                       ELSE job.seconds END,
                   progress = CASE WHEN told.state = 'done' THEN 100 ELSE job.progress END,
                   attempts = CASE WHEN told.result IS NOT NULL THEN greatest(job.attempts, 1)
                                   ELSE job.attempts END,
                   has_result = told.result IS NOT NULL, result = told.result,
                   error_type = told.error_type, error_message = told.error_message
              FROM json_to_recordset(%s) AS told(
                       id int, state text, result text, error_type text, error_message text)
             WHERE job.id = told.id
            RETURNING job.id,
                      EXISTS (SELECT FROM nameko_job_predecessor WHERE predecessor_id = job.id)
            """,
            [json.dumps([each.values() for each in finished])],
        )
        awaited = [job_id for job_id, is_awaited in self.env.cr.fetchall() if is_awaited]
        if awaited:
            self._notify_finished(awaited)
        self._forget_rows(each.row for each in finished)

    def _tell_finished(self, finished: Collection[Finish]) -> None:
        """Tell those concerned how jobs ended, once nothing of it will be put back."""

    def _put_back(self, rows: Collection[Row]) -> None:
        """Make jobs what they were before this transaction finished them: they are answered later.

        Their answers wait in Odoo or in the broker, so they do not expire for a while.
        """
        if not rows:
            return
        values = [{name: getattr(row, name) for name in PUT_BACK} for row in rows]
        self.env.cr.execute(
            f"""
            UPDATE nameko_job job
               SET state = old.state, is_ready = old.is_ready, is_waiting = old.is_waiting,
                   eta = old.eta, progress = old.progress, attempts = old.attempts,
                   error_type = old.error_type,
                   error_message = old.error_message, done_at = NULL, seconds = NULL,
                   result = NULL, has_result = false, write_tries = 0,
                   deadline = CASE WHEN old.state = 'sent' THEN {NOW} + interval '1 second' * %s END
              FROM json_to_recordset(%s) AS old(
                       id int, state text, is_ready bool, is_waiting bool, eta timestamp,
                       progress float, attempts int, error_type text, error_message text)
             WHERE job.id = old.id
            """,  # noqa: S608  constants
            [LEASE_SECONDS, json.dumps(values, default=str)],
        )
        self._forget_rows(rows)

    def _keep_result(self, row: Row, text: str, note: str) -> None:
        """Keep a result in a failed job, and say so."""
        self.env.cr.execute(
            "UPDATE nameko_job SET result = %s, has_result = true,"
            " error_message = concat_ws(E'\\n', error_message, %s) WHERE id = %s",
            [clean(text), note, row.id],
        )
        self._forget_rows([row])

    @api.model
    @api.private
    def lease(self, uuids: Collection[str]) -> None:
        """Let jobs whose answers wait in a relay's hands not expire for a while."""
        self.env.cr.execute(
            f"""
            UPDATE nameko_job SET deadline = {NOW} + interval '1 second' * %s, write_tries = 0
             WHERE id IN (SELECT id FROM nameko_job WHERE uuid = ANY(%s) AND state = 'sent'
                             FOR NO KEY UPDATE SKIP LOCKED)
            """,  # noqa: S608  constants
            [LEASE_SECONDS, [uuid for uuid in uuids if UUID.fullmatch(uuid)]],
        )

    @api.model
    @api.private
    def mark_first_try(self, uuids: Collection[str]) -> set[str]:
        """Note that the answers of these jobs are written once more; return those noted before.

        A process that dies of it leaves the note behind.
        """
        wanted = [uuid for uuid in uuids if UUID.fullmatch(uuid)]
        query = "SELECT uuid FROM nameko_job WHERE uuid = ANY(%s) AND write_tries > 0"
        self.env.cr.execute(query, [wanted])
        noted = {uuid for (uuid,) in self.env.cr.fetchall()}
        self._add_try([uuid for uuid in wanted if uuid not in noted])
        return noted

    @api.model
    @api.private
    def mark_try(self, uuid: str) -> int:
        """Note that a job's answer is written on its own; return how often that was noted."""
        self._add_try([uuid])
        return (self.env.cr.fetchone() or (0,))[0]

    def _add_try(self, uuids: Sequence[str]) -> None:
        self.env.cr.execute(
            "UPDATE nameko_job SET write_tries = coalesce(write_tries, 0) + 1"
            " WHERE id IN (SELECT id FROM nameko_job WHERE uuid = ANY(%s) AND state <> 'done'"
            " FOR NO KEY UPDATE SKIP LOCKED) RETURNING write_tries",
            [list(uuids)],
        )

    def _forget_rows(self, rows: Iterable[Row]) -> None:
        self.browse(row.id for row in rows).invalidate_recordset(flush=False)
