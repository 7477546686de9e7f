"""The functions and methods that expressions may use; each is charged before it runs."""

from __future__ import annotations

import ast
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from dateutil import relativedelta  # type: ignore[import-untyped]

from .budget import MOST_BITS, MOST_WIDTH, TEXTS, Budget, TooMuch, check_bits, check_widths
from .modules import Function, Names, check_format, short
from .operators import binary
from .record_view import RecordView
from .translate import _lt

MOST_DIGITS = 4300
CODECS = frozenset(("utf-8", "utf8", "ascii", "latin-1", "latin1", "iso-8859-1"))
ON_CODING_ERROR = frozenset(("strict", "ignore", "replace"))
CONVERSIONS: dict[int, Function] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}

SEARCHING = frozenset(
    ("count", "find", "rfind", "index", "rindex", "partition", "rpartition", "strip", "lstrip",
     "rstrip", "startswith", "endswith", "removeprefix", "removesuffix")
)  # fmt: skip
SPLITTING = frozenset(("split", "rsplit", "splitlines"))
PADDING = frozenset(("ljust", "rjust", "center", "zfill"))
OF_TEXTS = (
    SEARCHING
    | SPLITTING
    | PADDING
    | frozenset(
        ("capitalize", "casefold", "encode", "decode", "hex", "isalnum", "isalpha", "isdecimal",
         "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower",
         "replace", "swapcase", "title", "upper")
    )
)  # fmt: skip
OF_DATES = frozenset(
    ("year", "month", "day", "weekday", "isoweekday", "isoformat", "isocalendar", "strftime",
     "replace", "toordinal", "hour", "minute", "second", "microsecond", "tzinfo", "date", "time",
     "timestamp", "astimezone", "utcoffset")
)  # fmt: skip
# A value has the attributes of each of these types that it is an instance of.
ATTRIBUTES: dict[type, frozenset[str]] = {
    str: OF_TEXTS,
    bytes: OF_TEXTS,
    list: frozenset(("count", "index")),
    tuple: frozenset(("count", "index")),
    dict: frozenset(("get", "keys", "values", "items")),
    int: frozenset(("bit_length",)),
    float: frozenset(("is_integer",)),
    datetime.date: OF_DATES,
    datetime.time: OF_DATES,
    datetime.timedelta: frozenset(("days", "seconds", "microseconds", "total_seconds")),
    relativedelta.relativedelta: frozenset(
        ("years", "months", "days", "hours", "minutes", "seconds", "weeks")
    ),
}


class Functions:
    """The built-in functions and attributes of one expression, charged to its budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def by_name(self, names: Iterable[str]) -> dict[str, Function]:
        return {name: getattr(self, f"do_{name}") for name in names}

    # Attributes

    def attribute(self, value: Any, name: str) -> Any:
        """Return a field of a record, or an attribute that is known to be harmless.

        :raises AttributeError: there is no such attribute, or it is not allowed
        """
        if isinstance(value, RecordView):
            if name == "mapped":
                return lambda path: self._mapped(value, path)
            return RecordView.read_field(value, name, self._budget.spend)
        if isinstance(value, Names):
            if name in value.names:
                return self._charged(value.names[name])
        elif any(name in names for kind, names in ATTRIBUTES.items() if isinstance(value, kind)):
            found = getattr(value, name)
            return self._method(value, name, found) if callable(found) else found
        raise AttributeError(
            _lt("%(type)s has no attribute %(name)s", type=type(value).__name__, name=name)
        )

    def _charged(self, function: Any) -> Any:
        """Return a module's function so that each call of it is charged."""
        steps = getattr(function, "steps", 0)
        if not steps:
            return function

        def charged(*args: Any, **kwargs: Any) -> Any:
            self._budget.spend(steps)
            return function(*args, **kwargs)

        return charged

    def _mapped(self, records: RecordView, path: str) -> list[Any]:
        """Return the values of a field such as `name` or `partner_id.name`, one per record."""
        values: list[Any] = [records]
        for name in path.split("."):
            views = [view for value in values for view in self._budget.items(value)]
            values = [RecordView.read_field(view, name, self._budget.spend) for view in views]
        return values

    def _method(self, value: Any, name: str, method: Function) -> Function:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._pay(value, name, (*args, *kwargs.values()))
            if isinstance(value, TEXTS) and name == "join":
                return self._joined(value, *args)
            if isinstance(value, TEXTS) and name in ("encode", "decode"):
                return self._budget.spend_value(_coded(method, *args, **kwargs))
            if isinstance(value, dict) and name != "get":
                return list(method())
            limited = short(method) if isinstance(value, datetime.date | datetime.time) else method
            return self._budget.spend_value(limited(*args, **kwargs))

        return guarded

    def _pay(self, value: Any, name: str, args: tuple[Any, ...]) -> None:
        budget = self._budget
        budget.spend_value((value, args))
        if not isinstance(value, TEXTS):
            return
        if name in SEARCHING:
            parts = args[0] if args and isinstance(args[0], tuple) else args[:1]
            for part in parts:
                if isinstance(part, TEXTS):
                    budget.spend_search(value, part)
        elif name in SPLITTING:
            budget.spend(len(value) // 10)
        elif name in PADDING:
            budget.spend_text(args[0] if args and isinstance(args[0], int) else 0)
        elif name == "replace":
            self._pay_replacement(value, *args)

    def _pay_replacement(self, text: Any, old: Any = "", new: Any = "", *_most: Any) -> None:
        self._budget.spend_search(text, old)
        times = text.count(old)
        self._budget.spend(times // 10)
        self._budget.spend_text(len(text) + times * max(0, len(new) - len(old)))

    def _joined(self, separator: Any, parts: Iterable[Any]) -> Any:
        texts = self._budget.items(parts)
        size = sum(len(text) for text in texts if isinstance(text, TEXTS))
        self._budget.spend_text(size + len(separator) * len(texts))
        return separator.join(texts)

    # Texts

    def do_str(self, value: Any = "") -> str:
        return str(self._budget.spend_value(value))

    def formatted(self, value: Any, conversion: int, pattern: str) -> str:
        """Return a formatted value of an f-string."""
        self._budget.spend_value(value)
        check_widths(pattern)
        if isinstance(value, datetime.date | datetime.time):
            check_format(pattern)
        if conversion in CONVERSIONS:
            value = CONVERSIONS[conversion](value)
        return format(value, pattern)

    # Numbers

    def do_int(self, value: Any = 0, *base: int) -> int:
        if isinstance(value, TEXTS) and len(value) > MOST_DIGITS:
            raise TooMuch(_lt("it makes too large a number"))
        number = int(value, *base)
        check_bits(number.bit_length())
        return number

    def do_float(self, value: Any = 0.0) -> float:
        self._budget.spend_value(value)
        return float(value)

    def do_round(self, value: Any, digits: int | None = None) -> Any:
        if digits is not None and abs(digits) > MOST_WIDTH:
            raise TooMuch(_lt("a number is rounded to more than %s digits", MOST_WIDTH))
        if isinstance(value, int):
            check_bits(value.bit_length())
        return round(value) if digits is None else round(value, digits)

    def do_abs(self, value: Any) -> Any:
        return abs(value)

    def do_bool(self, value: Any = False) -> bool:
        return bool(value)

    def do_divmod(self, left: Any, right: Any) -> Any:
        return divmod(left, right)

    # Many values

    def do_all(self, values: Iterable[Any]) -> bool:
        return all(self._budget.items(values))

    def do_any(self, values: Iterable[Any]) -> bool:
        return any(self._budget.items(values))

    def do_dict(self, pairs: Any = (), **more: Any) -> dict[Any, Any]:
        found = pairs.items() if isinstance(pairs, Mapping) else pairs
        return self.dictionary(
            [*(tuple(pair) for pair in self._budget.items(found)), *more.items()]
        )

    def dictionary(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        self._budget.spend_keys(len(pairs))
        return dict(self._budget.spend_value(pairs))

    def do_set(self, values: Iterable[Any] = ()) -> set[Any]:
        found = self._budget.items(values)
        self._budget.spend_keys(len(found))
        return set(self._budget.spend_value(found))

    def do_enumerate(self, values: Iterable[Any], start: int = 0) -> list[Any]:
        return list(enumerate(self._budget.items(values), start))

    def do_filter(self, function: Function | None, values: Iterable[Any]) -> list[Any]:
        return list(filter(function, self._budget.items(values)))

    def do_map(self, function: Function, *columns: Iterable[Any]) -> list[Any]:
        return list(map(function, *map(self._budget.items, columns)))

    def do_zip(self, *columns: Iterable[Any], strict: bool = False) -> list[Any]:
        return list(zip(*map(self._budget.items, columns), strict=strict))

    def do_len(self, values: Any) -> int:
        return len(values)

    def do_list(self, values: Iterable[Any] = ()) -> list[Any]:
        return self._budget.items(values)

    def do_tuple(self, values: Iterable[Any] = ()) -> tuple[Any, ...]:
        return tuple(self._budget.items(values))

    def do_range(self, *limits: int) -> list[int]:
        numbers = range(*limits)
        if numbers and max(abs(numbers[0]), abs(numbers[-1])).bit_length() > MOST_BITS:
            raise TooMuch(_lt("it makes too large a number"))
        return self._budget.items(numbers)

    def do_max(self, *values: Any, key: Function | None = None, **default: Any) -> Any:
        return self._extreme(max, values, key, default)

    def do_min(self, *values: Any, key: Function | None = None, **default: Any) -> Any:
        return self._extreme(min, values, key, default)

    def _extreme(
        self, choose: Any, values: tuple[Any, ...], key: Function | None, default: dict[str, Any]
    ) -> Any:
        found = self._budget.items(values[0] if len(values) == 1 else values)
        if not found:
            return choose(found, **default)
        keys = self._keys(found, key)
        self._budget.spend_value(keys)
        return found[choose(range(len(found)), key=keys.__getitem__)]

    def _keys(self, found: list[Any], key: Function | None) -> list[Any]:
        """Return the keys by which the values are compared."""
        return found if key is None else [key(value) for value in found]

    def do_sorted(
        self, values: Iterable[Any], *, key: Function | None = None, reverse: bool = False
    ) -> list[Any]:
        found = self._budget.items(values)
        keys = self._keys(found, key)
        for _comparison in range(len(found).bit_length()):
            self._budget.spend_value(keys)
        order = sorted(range(len(found)), key=keys.__getitem__, reverse=bool(reverse))
        return [found[index] for index in order]

    def do_sum(self, values: Iterable[Any], start: Any = 0) -> Any:
        total = start
        for value in self._budget.items(values):
            if isinstance(value, TEXTS):
                raise TypeError(_lt("texts are joined, not summed: ''.join(texts)"))
            total = binary(self._budget, ast.Add, total, value)
        return total


def _coded(method: Function, encoding: str = "utf-8", errors: str = "strict") -> Any:
    """Encode or decode a text; allow only codecs whose cost is proportional to its length."""
    if str(encoding).lower() not in CODECS:
        raise LookupError(f"the encoding {encoding} is not one of {', '.join(sorted(CODECS))}")
    if errors not in ON_CODING_ERROR:
        raise LookupError(f"errors must be one of {', '.join(sorted(ON_CODING_ERROR))}")
    return method(encoding, errors)
