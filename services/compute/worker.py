"""A worker process of the pool: `python -m services.compute.worker`.

It reads tasks from its standard input and writes progress and results to its standard output, one
JSON object per line. Its input ends when its parent ends, even by a crash; then it exits, too.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from services.compute.primes import prime_count

FUNCTIONS: dict[str, Callable[..., Any]] = {"prime_count": prime_count}
NICENESS = 15  # so that the service's own process, which answers quick calls, goes first
REPORT_SECONDS = 0.2


class Reporter:
    """Writes messages to the parent; progress at most every `REPORT_SECONDS`, and at the end."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.next_report = 0.0

    def write(self, **message: Any) -> None:
        self.output.write(json.dumps(message) + "\n")
        self.output.flush()

    def progress(self, share: float) -> None:
        now = time.monotonic()
        if share >= 1 or now >= self.next_report:
            self.next_report = now + REPORT_SECONDS
            self.write(progress=share)


def run_task(task: dict[str, Any], reporter: Reporter) -> None:
    """Run one task and write its result or its error."""
    reporter.next_report = time.monotonic() + REPORT_SECONDS
    try:
        result = FUNCTIONS[task["function"]](*task["args"], reporter.progress)
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        reporter.write(error=f"{type(error).__name__}: {error}")
    else:
        reporter.write(result=result)


def read_tasks(tasks: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Put the tasks from standard input into `tasks`; exit the process at the end of input."""
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)


def main() -> None:
    """Run the parent's tasks until the parent ends."""
    os.nice(NICENESS)
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent handles them, and ends this process
        signal.signal(number, signal.SIG_IGN)
    reporter = Reporter(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # what is printed goes to stderr, not into the protocol
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=read_tasks, args=(tasks,), daemon=True).start()
    while True:
        run_task(tasks.get(), reporter)


if __name__ == "__main__":
    main()
