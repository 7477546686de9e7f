"""Limits for JSON that other programs send, and the errors of reading it."""

from __future__ import annotations

from typing import Any

# The errors of reading any JSON, including kombu's encoded values in it.
UNREADABLE = (ValueError, TypeError, ArithmeticError, RecursionError, AttributeError, LookupError)
MOST_VALUES = 1_000_000  # in the lists and objects of a message: more would block other work
MOST_DEPTH = 500  # a result may be nested into a request; Python's JSON stops below 1,000


def has_many_values(text: str) -> bool:
    """Return whether JSON has more than MOST_VALUES values; marks inside texts do not count."""
    if _marks(text) <= MOST_VALUES:
        return False
    bare = text.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') > 4 * MOST_VALUES:  # the quotes of so many keys and texts
        return True
    return _marks("".join(bare.split('"')[::2])) > MOST_VALUES


def _marks(text: str) -> int:
    return max(text.count(","), text.count("[") + text.count("{"))


def is_deep(content: Any) -> bool:
    """Return whether JSON is nested more than MOST_DEPTH levels deep."""
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
