"""The loop of the relay service: see the docstring of this package."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from ..relay import Settings
from . import turns
from .child import REFUSED, ChildRelay
from .children import Children
from .databases import Choice, Databases, Seen
from .modules import Modules
from .session import Steps, Wait
from .turns import Limits
from .watch import Watch

_logger = logging.getLogger(__name__)
ALIVE_SECONDS = 1.0  # between two updates of the alive file
USED_SECONDS = 1.5  # for a child to end when somebody drops or copies its database


@dataclass
class Task:
    """Steps, and what they wait for."""

    steps: Steps[None]
    wait: Wait


class Service:
    """Runs relays for the databases that need one, until it is asked to stop.

    relay: the settings of a relay; its database and alive file are replaced for each child
    """

    def __init__(self, choice: Choice, limits: Limits, relay: Settings) -> None:
        self._limits, self._relay = limits, relay
        self._stopping = False
        self._watches: dict[str, Watch] = {}
        self._tasks: dict[str, Task] = {}  # of the watches; "" is the list of databases
        self._databases = Databases(choice, self._see)
        self._children = Children(self._run_child)
        self._modules = Modules()
        self._waker, self._woken = socket.socketpair()
        self._folder = Path(tempfile.gettempdir())  # of the children's alive files

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then have the children drain."""
        self._listen_to_signals()
        self._add_task("", self._databases.life())
        _logger.info("The relay service runs, with up to %s relays", self._limits.processes)
        with tempfile.TemporaryDirectory(prefix="nameko_relay-") as folder:
            self._folder = Path(folder)
            while not (self._stopping and not self._children):
                self._turn()
        for watch in self._watches.values():
            watch.close()
        self._databases.close()
        _logger.info("The relay service has stopped")

    def _listen_to_signals(self) -> None:
        for each in (self._waker, self._woken):
            each.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self) -> None:
        self._relay.alive_file.touch()
        for database, pid, code in self._children.ended():
            _alive_file(self._folder, pid).unlink(missing_ok=True)
            self._child_ended(database, code)
        if self._stopping:
            self._children.stop_all()
        else:
            self._take_turns()
        self._wait()

    # Tasks

    def _add_task(self, name: str, steps: Steps[None]) -> None:
        self._tasks[name] = Task(steps, next(steps))

    def _wait(self) -> None:
        """Wait until a task can go on, a signal comes or a second is over; let tasks go on."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for task in self._tasks.values():
            if task.wait.fileno >= 0:
                poll.register(task.wait.fileno, task.wait.events)
        ready = {descriptor for descriptor, _ in poll.poll(1000 * max(0.0, self._patience()))}
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        now = time.monotonic()
        for name, task in list(self._tasks.items()):
            is_due = task.wait.fileno in ready or now >= task.wait.until
            if is_due and name in self._tasks:  # it may have been let go just now
                task.wait = next(task.steps)

    def _patience(self) -> float:
        """Return the seconds until the next task or turn is due."""
        now = time.monotonic()
        next_at = min(task.wait.until for task in self._tasks.values())
        places = [watch.place for watch in self._watches.values()]
        return min(ALIVE_SECONDS, next_at - now, turns.seconds_left(places, now))

    # Databases

    def _see(self, seen: Seen) -> None:
        """Watch new databases, and let dropped ones go."""
        for name in self._watches.keys() - seen.keys():
            _logger.info("The database %s is gone", name)
            self._watches.pop(name).close()
            self._tasks.pop(name)
            self._children.stop(name)
        for name in seen.keys() - self._watches.keys():
            if name in self._children:  # of a dropped database with the same name
                continue
            watch = self._watches[name] = Watch(name, self._modules.load)
            self._add_task(name, watch.life())
        for name in seen.keys() & self._watches.keys():
            self._watches[name].set_used(seen[name])
            if seen[name]:
                self._children.stop(name, USED_SECONDS)

    # Children

    def _take_turns(self) -> None:
        now = time.monotonic()
        places = [watch.place for watch in self._watches.values()]
        for place in places:
            if place.started_at is not None and place.served_at is None:
                place.served_at = now if self._serves(place.name) else None
        for place in turns.to_stop(places, self._limits, now):
            place.is_stopping = True
            self._children.stop(place.name)
        for place in turns.to_start(places, self._limits, now):
            self._start(place.name)

    def _serves(self, name: str) -> bool:
        """Return whether a child has connected, and so written its alive file."""
        return _alive_file(self._folder, self._children.pid(name)).exists()

    def _start(self, name: str) -> None:
        try:
            self._children.start(name)
        except OSError as error:
            self._watches[name].fail(f"no process can be started: {error}")
        else:
            self._watches[name].child_started()

    def _child_ended(self, name: str, code: int) -> None:
        if (watch := self._watches.get(name)) is None:
            return
        if code == REFUSED:
            watch.child_refused()
        watch.child_ended("" if code in (0, REFUSED) else f"its relay has ended with {code}")

    def _run_child(self, name: str) -> None:
        """Run the relay of a database in a fork, which leaves the sockets to the parent."""
        self._databases.abandon()
        for watch in self._watches.values():
            watch.abandon()
        self._waker.close()
        self._woken.close()
        alive_file = _alive_file(self._folder, os.getpid())
        ChildRelay(replace(self._relay, database=name, alive_file=alive_file)).run()


def _alive_file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.alive"
