"""Odoo's programs as forks of a process that has loaded Odoo and the addons.

They start in half a second instead of five. Only modules are loaded before the fork: each program
reads its command line, connects and builds its registry as it does from a shell.
"""

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.jobs.loaded_odoo"])


class Fork:
    """A command of Odoo's, as `subprocess.Popen(["python", "-m", "odoo", *arguments])` runs it."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        everything = {**os.environ, **environment}
        target = (list(arguments), everything, str(log))
        self._process = CONTEXT.Process(target=_run, args=target, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a fork of Odoo", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def _run(arguments: list[str], environment: dict[str, str], log: str) -> None:
    """Become the program, in the new process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # as the tests end, so does this
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for path, number in ((os.devnull, 0), (log, 1), (log, 2)):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    os.environ.clear()
    os.environ.update(environment)
    faulthandler.enable()
    sys.argv = ["odoo", *arguments]
    from odoo.cli.command import main  # noqa: PLC0415

    main()
