"""Clean texts for the database, and shorten or format values and messages for display."""

import json
import re
from typing import Any

UNENCODABLE = re.compile("[\ud800-\udfff\0]")
MOST_READ = 500  # characters of a message
MOST_SHAPE = 200  # characters of a shape
GAP = "…"
# What differs from one record to the next: UUIDs, quoted texts, and words with a digit in them.
VARYING = re.compile(
    r"""
    \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    | (?<!\w)'[^'\n]*'(?!\w) | "[^"\n]*" | “[^”\n]*” | «[^»\n]*»
    | [-+]?\b\w*\d\w*(?:[.,:/-]\w*\d\w*)*%?
    """,
    re.VERBOSE,
)


def shorten(value: Any) -> str:
    """Return a short representation of a value for a message."""
    try:
        return repr(value)[:100]
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__


def clean(value: Any) -> Any:
    """Replace characters that PostgreSQL cannot store, also in lists and dictionaries."""
    if isinstance(value, str):
        return UNENCODABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, list | tuple) else value


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def shape_of(message: str, job: str = "") -> str:
    """Return the first line of a message, with a gap for each part that varies.

    job: `service.method`; if the message begins with it, leave out the text before the cause

    >>> shape_of("No stock for product 17 in 'Main Hall'")
    'No stock for product … in …'
    """
    line = message[:MOST_READ].strip().partition("\n")[0]
    if job and line.startswith(f"{job} "):
        line = line[len(job) :].strip()
        line = line.partition(": ")[2] or line
    return VARYING.sub(GAP, line)[:MOST_SHAPE]
