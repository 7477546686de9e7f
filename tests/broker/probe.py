"""Requests to the service of `probe_service.py`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broker import Request


def probe(method: str, *args: Any, **kwargs: Any) -> Request:
    return Request("probe", method, args, kwargs)


def echo(value: Any) -> Request:
    return probe("echo", value)


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds
