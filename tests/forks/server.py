"""A process that loads the modules of a program once, and starts the program by a fork on request.

    python -m tests.forks.server odoo|nameko

It reads requests from its standard input, one JSON object per line: `command`, `environment`,
`log`. For each request it writes two lines: "started PID" and "ended PID STATUS". Only modules are
loaded before the fork: each program then reads its command line, configuration and environment as
if a shell had started it. `client.py` is the client.
"""

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import posix  # not `os` where this process waits: Eventlet replaces some of its functions
import signal
import sys
from collections.abc import Iterator
from select import POLLIN, poll
from typing import Any

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
Request = dict[str, Any]


def serve() -> Request:
    """Fork for each request until the input ends; return only in the forks, with their request."""
    woken, wakes = posix.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for request in _requests(woken):
        child = posix.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return request
        _say(f"started {child}")
    sys.exit()


def _requests(woken: int) -> Iterator[Request]:
    """Yield requests; write meanwhile which forks have ended."""
    waiting = poll()
    waiting.register(0, POLLIN)
    waiting.register(woken, POLLIN)
    unread = b""
    while True:
        for descriptor, _ in waiting.poll():
            if descriptor == woken:
                posix.read(woken, 1000)
                _tell_of_ends()
                continue
            unread += (read := posix.read(0, 100_000))
            if not read:
                return
            *lines, unread = unread.split(b"\n")
            yield from map(json.loads, lines)


def _tell_of_ends() -> None:
    try:
        while (ended := posix.waitpid(-1, posix.WNOHANG))[0]:
            _say(f"ended {ended[0]} {posix.waitstatus_to_exitcode(ended[1])}")
    except ChildProcessError:
        return


def _say(line: str) -> None:
    posix.write(1, f"{line}\n".encode())


def become(program: str, request: Request) -> None:
    """Run the program in the new process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it is killed when the tests end
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for path, number in ((os.devnull, 0), (request["log"], 1), (request["log"], 2)):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(":"))
    faulthandler.enable()
    sys.argv = request["command"]
    main = {"odoo": "odoo.cli.command", "nameko": "nameko.cli.main"}[program]
    importlib.import_module(main).main()


if __name__ == "__main__":
    importlib.import_module(f"tests.forks.loaded_{sys.argv[1]}")
    gc.freeze()
    become(sys.argv[1], serve())
