"""Awaiting a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], T], *, seconds: float = 90, what: str = "") -> T:
    """Return the first true value of `condition`; raises TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or condition}")
        time.sleep(POLL_SECONDS)
    return value
