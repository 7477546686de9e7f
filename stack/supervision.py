"""Starting, stopping and watching the stack's programs through supervisord."""

import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .layout import LOGS, VENV
from .steps import StackError, log_tail

CONFIGURATION = Path(__file__).with_name("supervisord.conf")
POLL_SECONDS = 0.1
ALREADY_STARTED = 60  # supervisor.xmlrpc.Faults; it means STARTING and BACKOFF, too
START_SECONDS = 20
STOPPED_TOGETHER = (
    ("odoo", "relay", "api", "services"),
    ("rabbitmq", "epmd", "postgres", "mail_catcher"),
)


class Control:
    """Controls the programs of a running stack by name, given the address of its supervisord."""

    def __init__(self, address: str) -> None:
        self._rpc: Any = xmlrpc.client.ServerProxy(address, allow_none=True).supervisor

    def start(self, *names: str) -> None:
        """Start programs that do not run yet; it is no error if one has just been started."""
        for name in names:
            try:
                self._rpc.startProcess(name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != ALREADY_STARTED:
                    raise

    def stop(self, *names: str) -> None:
        """Stop programs in order and wait until each is gone."""
        for name in names:
            if self._rpc.getProcessInfo(name)["statename"] in ("RUNNING", "STARTING", "BACKOFF"):
                self._rpc.stopProcess(name, True)

    def stop_together(self, *names: str) -> None:
        """Stop programs at the same time and wait until each is gone."""
        for name in filter(self.is_alive, names):
            self._rpc.stopProcess(name, False)
        while any(self._is_there(name) for name in names):
            time.sleep(POLL_SECONDS)

    def restart(self, *names: str) -> None:
        """Stop and start programs."""
        self.stop(*names)
        self.start(*names)

    def signal(self, name: str, signal_name: str) -> None:
        """Send a program a signal, for example `STOP`, `CONT` or `KILL`."""
        self._rpc.signalProcess(name, signal_name)

    def pid(self, name: str) -> int:
        """Return a program's process id, 0 if it does not run."""
        return int(self._rpc.getProcessInfo(name)["pid"])

    def is_alive(self, name: str) -> bool:
        """Return whether a program runs, is being started, or will be started again in a moment."""
        return self._rpc.getProcessInfo(name)["statename"] in ("RUNNING", "STARTING", "BACKOFF")

    def _is_there(self, name: str) -> bool:
        """Return whether a program has not ended yet; supervisord kills one that takes too long."""
        return self.is_alive(name) or self._rpc.getProcessInfo(name)["statename"] == "STOPPING"

    def running(self) -> list[str]:
        """Return the names of the programs that run."""
        states = self._rpc.getAllProcessInfo()
        return [state["name"] for state in states if state["statename"] == "RUNNING"]


class Supervisor:
    """The supervisord of this stack: when this process ends, it stops its programs and ends."""

    def __init__(self, environment: Mapping[str, str], lock_descriptor: int) -> None:
        self._process = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "TERM",
                "--",
                VENV / "bin" / "supervisord",
                "-c",
                CONFIGURATION,
            ],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[lock_descriptor],  # the checkout stays locked until the last program is gone
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the programs in order
        )
        self.control = Control(environment["STACK_SUPERVISOR_URL"])
        _poll(self._takes_orders, START_SECONDS)

    def wait(self) -> None:
        """Wait until supervisord ends, which it does not do by itself."""
        self._process.wait()

    def shut_down(self) -> None:
        """Stop every program, the ones that others depend on last, then supervisord."""
        if self._process.poll() is None:
            try:
                for programs in STOPPED_TOGETHER:
                    self.control.stop_together(*programs)
            except (OSError, xmlrpc.client.Error):
                self._process.terminate()  # it stops the programs that are left, one a second
            else:
                self._process.kill()  # nothing is left
        self._process.wait()

    def start(self, name: str, answers: Callable[[], object], *, seconds: float) -> None:
        """Start a program and wait until it answers.

        Raises StackError with the end of its log if it dies or takes longer than `seconds`.
        """
        self.control.start(name)
        if (
            not _poll(lambda: answers() or not self.control.is_alive(name), seconds)
            or not answers()
        ):
            raise StackError(f"{name} does not answer.\n{log_tail(LOGS / f'{name}.log')}")

    def _takes_orders(self) -> bool:
        if self._process.poll() is not None:
            raise StackError(f"supervisord ended.\n{log_tail(LOGS / 'supervisord.log')}")
        try:
            return self.control.running() == []
        except OSError:
            return False


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    """Wait until a condition is true; raise StackError after so many seconds."""
    if not _poll(condition, seconds):
        raise StackError(f"not within {seconds:g} s: {what}")


def _poll(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition is true; return whether that was in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
