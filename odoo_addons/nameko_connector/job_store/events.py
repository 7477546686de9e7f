"""The events that end a job and their outcomes: values that the models and the relay share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Union

from .rows import Finish, Key, Lost, Row

if TYPE_CHECKING:
    from ..broker.jobs.reply import ArrivedReply, Reply


Event = Union["Reply", "ArrivedReply", Lost]


@dataclass(frozen=True)
class GivenUp:
    """Why an answer is not written: its callback crashes the process ("deadly"), or is too slow."""

    why: Literal["deadly", "slow"]
    number: float  # of crashes, or of seconds


@dataclass(frozen=True)
class Answer:
    """The answer to an unfinished job: the result in `reply`, or an `error`."""

    row: Row
    reply: Any = None
    error: Exception | None = None

    @property
    def callback(self) -> str | None:
        """The method of the record to call."""
        return self.row.on_error if self.error else self.row.on_result

    @property
    def field(self) -> str | None:
        """The field of the record to write."""
        return None if self.error else self.row.result_field

    @property
    def key(self) -> Key | None:
        """The model, and the callback or field for the answer; None if there is neither."""
        name = self.field or self.callback
        return (self.row.res_model or "", name) if name else None

    @property
    def target(self) -> tuple[str, int]:
        return self.row.res_model or "", self.row.res_id or 0

    def finish(self, problem: Exception | None = None) -> Finish:
        if self.error:
            return Finish(self.row, error=self.error)
        return Finish(self.row, self.reply.text, problem)


@dataclass
class Applied:
    """The outcome of replies, by uuid; a reply in none of these was written or dropped."""

    unknown: set[str] = field(default_factory=set)  # no such job
    busy: set[str] = field(default_factory=set)  # the job or its record is locked
    again: set[str] = field(default_factory=set)  # not begun, or in a conflict
    later: dict[str, Key | None] = field(default_factory=dict)  # not admitted to this transaction


class Postponed(Exception):
    """An answer was not begun: another transaction writes it."""


class Pace:
    """Decides which answers share a transaction, and how long it may take. Here: no limits."""

    def admits(self, row: Row, key: Key | None) -> bool:
        """Return whether an answer that runs `key` may be written in this transaction."""
        return True

    def begins(self, uuid: str, key: Key | None, count: int) -> None:
        """Called before `count` answers with this `key` are written; `uuid` is the first job."""

    def ends(self) -> None:
        """Called after they were written, or failed."""

    def is_over(self) -> bool:
        """Return whether the remaining answers must go to another transaction."""
        return False
