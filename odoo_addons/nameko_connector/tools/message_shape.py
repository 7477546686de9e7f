"""The shape of an error message: what is alike in messages of one cause."""

import re

MOST_READ = 500  # characters of a message
MOST = 200  # characters of a shape
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


def shape_of(message: str, job: str = "") -> str:
    """Return the first line of a message, with a gap for each part that varies.

    job: its name; where the message begins with it, it is left out with what introduces the cause

    >>> shape_of("No stock for product 17 in 'Main Hall'")
    'No stock for product … in …'
    """
    line = message[:MOST_READ].strip().partition("\n")[0]
    if job and line.startswith(f"{job} "):
        line = line[len(job) :].strip()
        line = line.partition(": ")[2] or line
    return VARYING.sub(GAP, line)[:MOST]
