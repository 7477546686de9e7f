"""Starts programs as forks of a process that has loaded their modules: see `server.py`.

Odoo starts in half a second instead of five, Nameko in a tenth of one instead of one and a half.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from stack.layout import CHECKOUT

DIES_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "KILL", "--")
# Without this, Eventlet loads a DNS library for half a second; the tests look up no names.
QUICK_START = {"EVENTLET_NO_GREENDNS": "yes"}


class Fork:
    """A process that a fork server has started, with the methods of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = threading.Event()
        self._status = 0

    def end(self, status: int) -> None:
        """Note that it has ended."""
        self._status = status
        self._ended.set()

    def poll(self) -> int | None:
        return self._status if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"the fork {self.pid}", timeout or 0)
        return self._status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """A running `server.py`.

    program: "odoo" or "nameko"
    """

    def __init__(self, program: str) -> None:
        server = subprocess.Popen(
            [*DIES_WITH_THE_TESTS, sys.executable, "-m", "tests.forks.server", program],
            cwd=CHECKOUT,
            env={**os.environ, **QUICK_START},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert server.stdin
        assert server.stdout
        self._requests: IO[bytes] = server.stdin
        self._events: IO[bytes] = server.stdout
        self._started: queue.Queue[Fork] = queue.Queue()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        forks = {}
        for line in self._events:
            event, pid, *status = line.split()
            if event == b"started":
                forks[pid] = Fork(int(pid))
                self._started.put(forks[pid])
            else:
                forks.pop(pid).end(int(status[0]))

    def fork(
        self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path
    ) -> Fork:
        """Start a process; `environment` is added to the environment of this process."""
        request = {
            "command": [*map(str, command)],
            "environment": {**os.environ, **environment},
            "log": str(log),
        }
        with self._lock:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
            return self._started.get(timeout=60)


@cache
def fork_server(program: str) -> ForkServer:
    """Return the one fork server of a program."""
    return ForkServer(program)
