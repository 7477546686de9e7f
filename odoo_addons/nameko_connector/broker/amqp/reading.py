"""Limits and errors of reading JSON that other programs have sent."""

from __future__ import annotations

from typing import Any

# What reading JSON may raise, with kombu's marked values in it, whatever it holds.
UNREADABLE = (ValueError, TypeError, ArithmeticError, RecursionError, AttributeError, LookupError)
MOST_DEPTH = 500  # a result may go on in a request; Python's JSON ends below 1,000


def is_deep(content: Any) -> bool:
    """Tell whether JSON is nested so deep that not everybody can read it."""
    level = [content]
    for _ in range(MOST_DEPTH):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    """Return the lists and dictionaries in a value."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, list | dict)]
