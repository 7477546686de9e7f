"""Results as values of fields: only what the field really holds."""

import math
from decimal import Decimal
from typing import Any

from odoo.orm.fields import Field

from ..exceptions import UnusableResult

NUMBERS = ("integer", "float", "monetary")
TEXTS = ("char", "text", "html", "selection")


def field_value(field: Field, value: Any) -> Any:
    """Give the value to write for a result; raises UnusableResult where it does not fit."""
    if value is None:
        return False
    if field.type in NUMBERS:
        return _number(field, value)
    if field.type in TEXTS and not isinstance(value, str):
        raise _unusable(field, value)
    if field.type == "boolean" and not isinstance(value, bool):
        raise _unusable(field, value)
    return value


def _number(field: Field, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _unusable(field, value)
    try:
        number = float(value)
    except OverflowError:
        raise _unusable(field, value) from None
    if not math.isfinite(number) or (field.type == "integer" and number != int(value)):
        raise _unusable(field, value)
    return int(value) if field.type == "integer" else number


def _unusable(field: Field, value: Any) -> UnusableResult:
    return UnusableResult(
        f"The service answered {_shorten(value)}, which the field {field} cannot hold."
    )


def _shorten(value: Any) -> str:
    try:
        return repr(value)[:100]
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__
