"""Limits and errors of reading JSON that other programs have sent."""

from __future__ import annotations

from typing import Any

# What reading JSON may raise, with kombu's marked values in it, whatever it holds.
UNREADABLE = (ValueError, TypeError, ArithmeticError, RecursionError, AttributeError, LookupError)
MOST_VALUES = 1_000_000  # of the lists and objects in a message: reading more holds up others
MOST_DEPTH = 500  # a result may go on in a request; Python's JSON ends below 1,000


def has_many_values(text: str) -> bool:
    """Tell whether JSON has more values than may be read; what its texts hold does not count."""
    if _marks(text) <= MOST_VALUES:
        return False
    bare = text.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') > 4 * MOST_VALUES:  # the quotes of as many names and texts
        return True
    return _marks("".join(bare.split('"')[::2])) > MOST_VALUES


def _marks(text: str) -> int:
    return max(text.count(","), text.count("[") + text.count("{"))


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
