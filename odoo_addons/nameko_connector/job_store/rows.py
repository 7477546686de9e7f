"""The columns of a job's row that the other modules need, and the values that finish a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from ..broker.amqp.errors import RpcError
from ..exceptions import RemoteError
from ..tools.texts import clean

LIVE = ("pending", "sent")
READY = "state = 'pending' AND is_ready"
NOW = "clock_timestamp() AT TIME ZONE 'UTC'"
SENDINGS = "coalesce(sendings, attempts, 0)"  # rows of earlier versions have none
PUT_BACK = (
    "id", "state", "is_ready", "is_waiting", "eta", "deadline", "progress", "attempts",
    "error_type", "error_message",
)  # fmt: skip
# Errors that another attempt does not avoid: "*" does not include them.
FINAL = frozenset({"RequestGivenUp", "RequestTooLarge", "ResultTooLarge"})
# A Nameko service that stops answers with these errors if it has lost its connection and cannot
# requeue a request, which it has not run. The method itself may raise them, too.
LOST_CONNECTION = frozenset({"BrokenPipeError", "ConnectionResetError"})
Key = tuple[str, str]  # a model, and its method or field that receives results


class Cursor(Protocol):
    """A cursor in the caller's transaction, which the caller commits."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""

    def execute(self, query: Any, params: Any = None, log_exceptions: bool = True) -> Any:
        """Execute a statement; log it with its parameters if it fails and log_exceptions is set."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""


@dataclass(frozen=True)
class Row:
    """The columns of a job that are needed to finish or restore it."""

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
    batch_id: int | None
    eta: datetime | None
    deadline: datetime | None
    attempts: int
    max_attempts: int
    sendings: int | None
    sendings_before: int | None
    asked_again: int | None
    max_again: int | None
    retry_on: str | None
    progress: float | None
    has_result: bool | None
    error_type: str | None
    error_message: str | None
    write_tries: int | None

    @property
    def attempt(self) -> int:
        """The number of the last request, over all retries of the job."""
        return self.attempts if self.sendings is None else self.sendings

    @property
    def newest_request(self) -> int:
        """The highest number of a request that may have been published.

        A relay that ends after publishing leaves the job pending, with the request not counted.
        """
        return self.attempt + (self.state != "sent")

    def is_of_earlier_round(self, attempt: int | None) -> bool:
        """Return whether the request of this number is from before the job was asked again."""
        before = self.sendings_before or 0
        return before > 0 and (attempt is None or attempt <= before)

    def retries(self, error_type: str) -> bool:
        """Return whether the job is retried after this exception of the service."""
        wanted = (self.retry_on or "").split(",")
        is_wanted = error_type in wanted or ("*" in wanted and error_type not in FINAL)
        is_wanted |= error_type in LOST_CONNECTION
        return self.attempts < self.max_attempts and is_wanted


@dataclass(frozen=True)
class Lost:
    """An event that fails a job without a reply.

    Its deadline has passed, its service had no queue, a predecessor failed, or it cannot be sent
    because of `error`.
    """

    uuid: str
    why: Literal["timeout", "predecessor", "away", "unsendable"]
    attempt: int | None = None
    error: RpcError | None = None


COLUMNS = ", ".join(f"job.{column}" for column in Row.__annotations__)


MOST_KIND, MOST_MESSAGE = 200, 20_000  # characters


@dataclass(frozen=True)
class Finish:
    """How a job ends: with `result` as JSON, with `error`, or both if writing failed."""

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
    """Return the type and message of an error as a job stores them; for a remote error, its own.

    Long texts are cut, as a form shows them.
    """
    kind = type(error).__name__
    if isinstance(error, RemoteError) and error.error is not None:
        kind = str(getattr(error.error, "exc_type", "") or kind)
    kind = clean(kind)[:MOST_KIND]
    return kind, clean(str(error))[:MOST_MESSAGE] or kind


def created_after(cr: Cursor, job_id: int) -> tuple[int, set[tuple[str, int]]]:
    """Return the newest job's id, and the unfinished jobs after `job_id` with their records.

    Jobs and records are pairs of model and id; of the jobs, the newest thousand at most.
    """
    cr.execute("SELECT coalesce(max(id), 0) FROM nameko_job")
    ((newest,),) = cr.fetchall()
    cr.execute(
        "SELECT id, res_model, res_id FROM nameko_job"
        " WHERE id > %s AND state IN ('pending', 'sent') ORDER BY id DESC LIMIT 1000",
        [job_id],
    )
    rows = cr.fetchall()
    changed = {("nameko.job", found) for found, _model, _res_id in rows}
    changed |= {(model, res_id) for _found, model, res_id in rows if model and res_id}
    return newest, changed
