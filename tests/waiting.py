"""Waits until a condition is true, instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 240  # s: what should happen may take so long on a busy machine
PAUSES = (0.02, 0.2)  # s between two looks, at first and at the most


def wait_until(condition: Callable[[], T], *, seconds: float = PATIENCE, what: str = "") -> T:
    """Wait for a true value of `condition` and return it; raise TimeoutError after `seconds`."""
    deadline, pause = time.monotonic() + seconds, PAUSES[0]
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or condition}")
        time.sleep(pause)
        pause = min(PAUSES[1], 1.2 * pause)
    return value
