"""The parts of the modules datetime, dateutil and time that expressions may use."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping
from typing import Any

from dateutil import parser, relativedelta  # type: ignore[import-untyped]

from .budget import TEXTS, TooMuch, check_widths
from .translate import _lt

Function = Callable[..., Any]
MOST_FORMAT = 200  # characters of a date format, or of a text that is parsed as a date
STEPS = 20  # that a call of one of these functions costs
STEPS_OF_PARSE = 500  # it tries many formats
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Names:
    """A module or a class: its allowed attributes, and the function that a call of it runs."""

    def __init__(self, names: Mapping[str, Any], call: Function | None = None) -> None:
        self.names = names
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._call is None:
            raise TypeError(_lt("a module cannot be called"))
        return self._call(*args, **kwargs)


def check_format(text: str | bytes) -> None:
    """Raise TooMuch for a long date format, or a long text that is parsed as a date."""
    if len(text) > MOST_FORMAT:
        raise TooMuch(_lt("a format or date has more than %s characters", MOST_FORMAT))


def short(function: Function, steps: int = STEPS) -> Function:
    """Return a function that refuses long date formats and long texts to parse.

    steps: the cost of each call
    """

    def limited(*args: Any, **kwargs: Any) -> Any:
        for text in (*args, *kwargs.values()):
            if isinstance(text, TEXTS):
                check_format(text)
            if isinstance(text, str) and "%" in text:
                check_widths(text)
        return function(*args, **kwargs)

    vars(limited)["steps"] = steps
    return limited


def _class(kind: type, *names: str) -> Names:
    found = {name: getattr(kind, name) for name in names}
    limited = {name: short(each) if callable(each) else each for name, each in found.items()}
    return Names(limited, short(kind))


MODULES: dict[str, Names] = {
    "datetime": Names(
        {
            "datetime": _class(
                datetime.datetime, "now", "today", "utcnow", "combine", "strptime",
                "fromisoformat", "fromtimestamp", "utcfromtimestamp", "min", "max",
            ),
            "date": _class(
                datetime.date,
                "today",
                "fromisoformat",
                "fromtimestamp",
                "fromordinal",
                "min",
                "max",
            ),
            "time": _class(datetime.time, "fromisoformat", "min", "max"),
            "timedelta": _class(datetime.timedelta),
            "timezone": _class(datetime.timezone, "utc"),
        }
    ),
    "dateutil": Names(
        {
            "relativedelta": Names(
                {
                    "relativedelta": _class(relativedelta.relativedelta),
                    **{day: getattr(relativedelta, day) for day in DAYS},
                }
            ),
            "parser": Names(
                {
                    "parse": short(parser.parse, STEPS_OF_PARSE),
                    "isoparse": short(parser.isoparse),
                }
            ),
        }
    ),
    "time": Names({"time": time.time, "strftime": short(time.strftime)}),
}  # fmt: skip
