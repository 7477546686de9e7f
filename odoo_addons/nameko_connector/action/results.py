"""Convert the wanted part of a service's answer to the value of a field.

A path such as `quote.total` or `lines.0.price` names the part. A value that the field cannot hold
is refused.
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from odoo.orm.fields import Field

from ..exceptions import UnusableResult
from ..tools.texts import shorten

INDEX = re.compile(r"[0-9]{1,9}")
PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")
NUMBERS = ("integer", "float", "monetary")
TEXTS = ("char", "text", "html", "selection")
DATES = ("date", "datetime")
FIELD_TYPES = (*NUMBERS, *TEXTS, *DATES, "boolean")  # the types that a designer may choose


class NotThere(Exception):
    """The answer has no such part; the message says which step of the path is missing."""


def is_path(path: str) -> bool:
    """Return whether it consists of names and numbers with dots between them."""
    return PATH.fullmatch(path) is not None


def part_of(answer: Any, path: str) -> Any:
    """Return the part at a path of dictionary keys and list indexes; for "", the whole answer.

    :raises NotThere: the answer has no such part
    """
    part = answer
    for step in path.split(".") if path else ():
        part = _step(part, step, path)
    return part


def _step(part: Any, step: str, path: str) -> Any:
    if isinstance(part, Mapping) and step in part:
        return part[step]
    if isinstance(part, list) and INDEX.fullmatch(step) and int(step) < len(part):
        return part[int(step)]
    raise NotThere(f"“{step}” of “{path}” is not in {_kind(part)}")


def _kind(part: Any) -> str:
    if isinstance(part, Mapping):
        return f"a dictionary of {', '.join(map(str, part))[:100] or 'nothing'}"
    return f"a list of {len(part)}" if isinstance(part, list) else type(part).__name__


def field_value(field: Field, value: Any) -> Any:
    """Return the value to write for a result; raise UnusableResult if it does not fit."""
    if value is None:
        return False
    if field.type in NUMBERS:
        return _number(field, value)
    if field.type in TEXTS and not _is_text(value):
        raise _unusable(field, value)
    if field.type in DATES:
        return _date(field, value)
    if field.type == "boolean" and not isinstance(value, bool):
        raise _unusable(field, value)
    return value


def _is_text(value: Any) -> bool:
    """Return whether it is a text that PostgreSQL can store."""
    try:
        return b"\0" not in value.encode()
    except (AttributeError, UnicodeEncodeError):
        return False


def _number(field: Field, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _unusable(field, value)
    try:
        number = float(value)
    except (OverflowError, ValueError):  # 10**400, Decimal("sNaN")
        raise _unusable(field, value) from None
    if not math.isfinite(number) or (field.type == "integer" and number != int(value)):
        raise _unusable(field, value)
    return int(value) if field.type == "integer" else number


def _date(field: Field, value: Any) -> date:
    """Convert a date or an ISO 8601 text; a time without a zone is UTC, as in Odoo."""
    moment = value if isinstance(value, date) else _parsed(field, value)
    if field.type == "date":
        return _day(field, moment, value)
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)
    return _utc(field, moment, value)


def _parsed(field: Field, value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (AttributeError, TypeError, ValueError):
        raise _unusable(field, value) from None


def _day(field: Field, moment: date, value: Any) -> date:
    """Return the date; raise UnusableResult if there is a time other than midnight."""
    if not isinstance(moment, datetime):
        return moment
    if moment.time() != datetime.min.time():
        raise _unusable(field, value)
    return moment.date()


def _utc(field: Field, moment: datetime, value: Any) -> datetime:
    if moment.tzinfo:
        try:
            moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
        except OverflowError:
            raise _unusable(field, value) from None
    return moment.replace(microsecond=0)


def _unusable(field: Field, value: Any) -> UnusableResult:
    return UnusableResult(
        f"The service answered {shorten(value)}, which the field {field} cannot hold."
    )
