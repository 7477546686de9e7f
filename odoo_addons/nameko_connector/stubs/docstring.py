"""Write the documentation of the catalogue as docstrings."""

from __future__ import annotations

import re
import textwrap

MOST_DOC = 1_000  # characters
# Quotes that are escaped, so that none can end the docstring: after a quote, and at the end.
ENDING = re.compile(r'(?<=")"|"\Z')


def docstring(doc: object, indent: str) -> str:
    """Return a documentation as an indented docstring with its line break; "" without one.

    Control and bidirectional characters, and others that cannot be printed, are left out.
    """
    text = _readable(doc) if isinstance(doc, str) else ""
    if not text:
        return ""
    escaped = ENDING.sub(r"\\" + '"', text.replace("\\", "\\\\"))
    end = f"\n{indent}" if "\n" in escaped else ""
    return textwrap.indent(f'"""{escaped}', indent, _is_full) + f'{end}"""\n'


def _readable(doc: str) -> str:
    """Return the text without what cannot be printed and without spaces at the ends of lines."""
    lines = "".join(map(_printed, doc[: MOST_DOC + 1])).split("\n")
    text = "\n".join(line.rstrip() for line in lines).strip()
    return f"{text[:MOST_DOC].rstrip()}…" if len(doc) > MOST_DOC else text


def _printed(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if character.isspace() else ""


def _is_full(line: str) -> bool:
    return bool(line.strip())
