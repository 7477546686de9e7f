"""What is called, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import RpcError


@dataclass(frozen=True)
class Request:
    """A call of `service.method(*args, **kwargs)`.

    Travels as JSON, the way Nameko encodes it: str, int, float, bool, None, lists and dicts of
    them; Decimal, datetime, date, time, UUID and bytes come back as what they were. Tuples come
    back as lists, and keys of dicts as strings. Anything else raises NotSendable when called.
    """

    service: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service}.{self.method}"


@dataclass(frozen=True)
class Outcome:
    """What one of many requests gave: `result`, or `error` where that is not None."""

    result: Any = None
    error: RpcError | None = None

    def get(self) -> Any:
        """The result, or raises the error."""
        if self.error is not None:
            raise self.error
        return self.result
