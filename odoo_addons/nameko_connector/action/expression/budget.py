"""Limits on the cost of an expression: steps, processor time, sizes and nesting.

Python cannot be stopped in the middle of `9**9**9` or `'x' * 10**9`. So the cost of each operation
is calculated and charged before the operation runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sized
from typing import Any

from .translate import _lt

UNITS = 50_000  # steps of an expression, about 1 µs each
SECONDS = 1.0  # of processor time, in case some steps take longer than expected
LOOK_EVERY = 32  # charges between two looks at the clock, which cost as much as a step
MOST_DEPTH = 80  # levels of nested values or nested calls
MOST_TEXT = 16_000_000  # characters or bytes of all texts in a value together
MOST_BITS = 14_000  # of an integer: about 4,200 digits, close to Python's limit for printing
MOST_WIDTH = 1000  # characters: the largest width in a format
MOST_PATTERN = 10_000  # characters of a format
CHARACTERS = 1000  # characters of a text that cost one step
SEARCHED = 2000  # comparisons that cost one step, when a text is searched
NUMBER = re.compile(r"\d+")
TEXTS = (str, bytes)
LISTS = (list, tuple, set, frozenset, dict)


class TooMuch(Exception):
    """The expression exceeds a limit; the message says which one."""


class Budget:
    """What one expression, or all those of one record, may still cost. Single-threaded."""

    def __init__(self, units: int = UNITS) -> None:
        self._left = units
        self._until = time.thread_time() + SECONDS
        self._times = 0  # number of charges

    def spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise TooMuch(_lt("it takes too many steps"))
        self._times += 1
        if self._times % LOOK_EVERY == 0 and time.thread_time() > self._until:
            raise TooMuch(_lt("it takes too long"))

    def spend_keys(self, count: int) -> None:
        """Charge for building a dictionary or set: all its keys may have the same hash."""
        self.spend(count + count * count // 200)

    def spend_lookup(self, values: Sized, key: Any) -> None:
        """Charge for a lookup in a dictionary or set: all its keys may have the same hash."""
        self.spend(len(values) // 100)
        self.spend_value(key)

    def spend_search(self, text: Sized, part: Sized) -> None:
        self.spend(len(text) * max(1, len(part)) // SEARCHED)

    def spend_text(self, length: int) -> None:
        """Charge for creating a text of this length."""
        if length > MOST_TEXT:
            raise TooMuch(
                _lt(
                    "it makes a text of %(length)s characters; %(most)s is the most",
                    length=length,
                    most=MOST_TEXT,
                )
            )
        self.spend(length // CHARACTERS)

    def spend_value(self, value: Any) -> Any:
        """Charge for reading all parts of a value, as comparing or printing does; return it."""
        size, parts = 0, [(value, 0)]
        while parts:
            part, depth = parts.pop()
            if depth > MOST_DEPTH:
                raise TooMuch(_lt("it makes a value that is nested too deeply"))
            if isinstance(part, LISTS):
                self.spend(1 + len(part))
                parts.extend((each, depth + 1) for each in _parts(part))
            elif isinstance(part, TEXTS):
                size += len(part)
        self.spend_text(size)
        return value

    def items(self, values: Iterable[Any]) -> list[Any]:
        """Return the items as a list; charge for each while the list is built."""
        found = []
        for value in values:
            self.spend(1)
            found.append(value)
        return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return (part for pair in value.items() for part in pair)
    return value


def check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise TooMuch(_lt("it makes too large a number"))


def check_widths(pattern: str) -> None:
    """Raise TooMuch for a format that is too long or too wide, such as `{:1000000000}`."""
    if len(pattern) > MOST_PATTERN:
        raise TooMuch(_lt("its format has more than %s characters", MOST_PATTERN))
    digits = len(str(MOST_WIDTH))
    widths = (width.lstrip("0") for width in NUMBER.findall(pattern))
    if any(len(width) > digits or int(width or 0) > MOST_WIDTH for width in widths):
        raise TooMuch(_lt("its format is wider than %s characters", MOST_WIDTH))
