"""A plain Nameko service; its methods log their runs to the file that PROBE_FILE names."""

import os
import time
from collections import Counter
from typing import Any

import eventlet
from nameko.rpc import rpc


def note(text: str) -> None:
    with open(os.environ["PROBE_FILE"], "a") as file:
        file.write(f"{text}\n")


KEYS = int(os.environ.get("PROBE_KEYS", "5"))
running: Counter[int] = Counter()  # by key; -1 for `count`


class ProbeService:
    name = "probe"

    @rpc
    def add(self, value: Any, other: Any) -> Any:
        note(f"{value}")
        return value + other

    @rpc
    def length(self, text: Any) -> Any:
        note(f"{len(text)}")
        return len(text)

    @rpc
    def total_length(self, texts: Any) -> Any:
        return sum(len(text) for text in texts)

    @rpc
    def total(self, values: Any, extra: Any = 0) -> Any:
        return sum(values) + extra

    @rpc
    def take_seconds(self, value: Any, other: Any) -> Any:
        note(f"{value}")
        eventlet.sleep(5)
        return value + other

    @rpc
    def count(self, value: Any, other: Any) -> Any:
        """Log the value, how many run now, and the time; run while the gate is closed."""
        return self._count(-1, value) + other

    @rpc
    def count_key(self, value: Any, other: Any) -> Any:
        """Likewise, but count those whose value has the same remainder."""
        return self._count(value % KEYS, value) + other

    def _count(self, key: int, value: Any) -> Any:
        running[key] += 1
        note(f"{value}:{running[key]}:{time.time()}")
        while os.path.exists(f"{os.environ['PROBE_FILE']}.closed"):
            eventlet.sleep(0.02)
        eventlet.sleep(0.02)
        running[key] -= 1
        return value

    @rpc
    def fail(self, value: Any, other: Any) -> None:
        raise ValueError(f"{value} is not to my taste")

    @rpc
    def fail_first(self, value: Any, other: Any) -> Any:
        """Fail if this value was never seen before."""
        with open(os.environ["PROBE_FILE"]) as file:
            seen = f"{value}\n" in file.readlines()
        note(f"{value}")
        if not seen:
            raise LookupError("not yet")
        return value + other

    @rpc
    def die(self, value: Any, other: Any) -> None:
        """End the process, as a segmentation fault or the kernel's out-of-memory killer does."""
        os._exit(9)

    @rpc
    def deep(self, value: Any, other: Any) -> Any:
        """Return a result that nothing can serialize."""
        result: list[Any] = []
        for _ in range(5_000):
            result = [result]
        return result

    @rpc
    def too_large(self, value: Any, other: Any) -> Any:
        return "x" * 30_000_000

    @rpc
    def large(self, megabytes: Any, other: Any) -> Any:
        return "x" * int(megabytes * 1_000_000)
