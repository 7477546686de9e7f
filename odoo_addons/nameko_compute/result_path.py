"""The part of an answer that is wanted: `quote.total`, `lines.0.price`."""

import re
from collections.abc import Mapping
from typing import Any

INDEX = re.compile(r"[0-9]{1,9}")
PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")


class NotThere(Exception):
    """The answer has no such part; the message says where it ends."""


def is_path(path: str) -> bool:
    """Tell whether it is names and numbers with dots between them."""
    return PATH.fullmatch(path) is not None


def part_of(answer: Any, path: str) -> Any:
    """Follow keys of dictionaries and numbers of lists; all of the answer for an empty path.

    :raises NotThere: the answer has another form
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
