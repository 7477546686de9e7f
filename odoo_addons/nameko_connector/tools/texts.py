"""Texts as PostgreSQL can hold them."""

import re
from typing import Any

UNENCODABLE = re.compile("[\ud800-\udfff\0]")


def shorten(value: Any) -> str:
    """Show a value of any size in a message."""
    try:
        return repr(value)[:100]
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__


def clean(value: Any) -> Any:
    """Return texts, also those in lists and dictionaries, with a mark for what cannot be held."""
    if isinstance(value, str):
        return UNENCODABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    return [clean(each) for each in value] if isinstance(value, list | tuple) else value
