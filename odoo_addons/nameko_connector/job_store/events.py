"""What ends a job, and what becomes of it: values that the models and the relay share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Union

from .rows import Finish, Key, Lost, Row

if TYPE_CHECKING:
    from ..broker.jobs.reply import ArrivedReply, Reply


Event = Union["Reply", "ArrivedReply", Lost]


@dataclass(frozen=True)
class GivenUp:
    """Why an answer is not written: its callback ends processes, or takes too long."""

    why: Literal["deadly", "slow"]
    number: float  # of processes, or seconds


@dataclass(frozen=True)
class Answer:
    """What a job that is not finished gets: the result in `reply`, or an `error`."""

    row: Row
    reply: Any = None
    error: Exception | None = None

    @property
    def callback(self) -> str | None:
        """The method of the record that is called."""
        return self.row.on_error if self.error else self.row.on_result

    @property
    def field(self) -> str | None:
        """The field of the record that is written."""
        return None if self.error else self.row.result_field

    @property
    def key(self) -> Key | None:
        """What runs when it is written, apart from our own statement; None if nothing does."""
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
    """What became of replies, by uuid; what is in none of these was written, or dropped."""

    unknown: set[str] = field(default_factory=set)  # name no job
    busy: set[str] = field(default_factory=set)  # the job or its record is locked
    again: set[str] = field(default_factory=set)  # not begun, or met another transaction
    later: dict[str, Key | None] = field(default_factory=dict)  # not admitted to this transaction


class Postponed(Exception):
    """An answer was not begun: it is left to another transaction."""


class Pace:
    """Which answers are written in one transaction, and how long it may take: here, all."""

    def admits(self, row: Row, key: Key | None) -> bool:
        """Tell whether an answer that runs `key` may be written in this transaction."""
        return True

    def begins(self, uuid: str, key: Key | None, count: int) -> None:
        """Hear that answers of a kind are about to be written, that of this job the first."""

    def ends(self) -> None:
        """Hear that they were written, or failed."""

    def is_over(self) -> bool:
        """Tell whether the rest is left to another transaction."""
        return False
