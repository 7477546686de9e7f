"""A request to a service, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import RpcError


@dataclass(frozen=True)
class Request:
    """A call of `service.method(*args, **kwargs)`.

    It is sent as Nameko's JSON: str, int, float, bool, None, and lists and dicts of them. Decimal,
    datetime, date, time, UUID and bytes keep their types. Tuples become lists, and keys of dicts
    become strings. A call with any other value raises NotSendable.
    """

    service: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service}.{self.method}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one of many requests: `error` or, if that is None, `result`."""

    result: Any = None
    error: RpcError | None = None

    def get(self) -> Any:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result
