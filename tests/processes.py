"""The programs that tests start: each is killed when the tests end, and logs to a file."""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nameko.standalone.rpc import ClusterRpcProxy

from stack.layout import CHECKOUT
from stack.ports import reserve
from tests.forks.client import DIES_WITH_THE_TESTS, QUICK_START, Fork, fork_server
from tests.waiting import PATIENCE, wait_until

BIN = Path(sys.executable).parent
CONFIG = CHECKOUT / "services" / "config.yaml"
PLAIN_CONFIG = CHECKOUT / "tests" / "plain_nameko.yaml"  # for Nameko's own container
HOST = "127.0.0.1"
LOGS = CHECKOUT / "build" / "tests"


def listens(port: int) -> bool:
    """Return whether a port of this machine takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


class Process:
    """A program in a process of its own.

    fork: "odoo" or "nameko" if the command is one of that program's, for a fast start as a fork;
    without it, the program starts as from a shell
    log: the file of its output
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        fork: str = "",
    ) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = LOGS / f"{name}-{uuid.uuid4().hex[:8]}.log"
        self._child: subprocess.Popen[bytes] | Fork
        with self.log.open("w") as output:
            if fork:
                self._child = fork_server(fork).fork(command, environment or {}, self.log)
                return
            self._child = subprocess.Popen(
                [*DIES_WITH_THE_TESTS, *command],
                cwd=CHECKOUT,
                env={**os.environ, **QUICK_START, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_alive(self) -> bool:
        return self._child.poll() is None

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until the program ends; return its exit status."""
        return self._child.wait(seconds)

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def terminate(self, seconds: float = PATIENCE) -> int:
        """Send SIGTERM; return the exit status. Kill the program if it does not end in time."""
        self._child.terminate()
        try:
            return self.wait(seconds)
        finally:
            self.kill()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    def logged(self, text: str) -> bool:
        return text in self.output

    def wait_for_log(self, text: str, seconds: float = PATIENCE) -> str:
        """Wait until a text is in the program's output; return the first line that has it.

        :raises AssertionError: the program ended without it
        :raises TimeoutError: it took longer
        """
        wait_until(
            lambda: self.logged(text) or not self.is_alive(),
            seconds=seconds,
            what=f"{text!r} in {self.log}",
        )
        assert self.logged(text), self.output[-3000:]
        return next(line for line in self.lines if text in line)

    def ports(self) -> set[int]:
        """Return the local ports of the program's TCP connections."""
        connections = psutil.Process(self.pid).net_connections()
        return {each.laddr.port for each in connections if each.status == psutil.CONN_ESTABLISHED}


class Forwarder(Process):
    """A process that forwards one TCP port to another: see `forwarder.py`."""

    def __init__(self, target_port: int) -> None:
        self.port, self._target_port = reserve(), target_port
        self.restore()

    def restore(self) -> None:
        """Let connections through, after `kill` has broken them and refused new ones."""
        command = [sys.executable, "-m", "tests.forwarder", str(self.port), str(self._target_port)]
        super().__init__("forwarder", command)
        wait_until(lambda: listens(self.port), what="the forwarder")

    def cut(self) -> None:
        """Break all connections; new ones work when it returns."""
        self.kill()
        self.restore()

    def forget_connections(self) -> None:
        """Stop forwarding the open connections without closing them; new ones work."""
        self.signal(signal.SIGUSR1)


@contextmanager
def forwarded(target_port: int) -> Iterator[Forwarder]:
    """Run a forwarder to a port during the block."""
    way = Forwarder(target_port)
    try:
        yield way
    finally:
        way.kill()


def nameko_run(*modules: str, config: Path = CONFIG) -> list[str | Path]:
    """Return the command that runs the services of these modules."""
    return [BIN / "nameko", "run", "--config", config, *modules]


class ServiceProcess(Process):
    """A real `nameko run` of some services in this project's container."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__("services", nameko_run(*modules), environment, fork="nameko")

    def wait_until_ready(self) -> None:
        """Wait until every service of the process consumes its queues."""
        starting = json.loads(self.wait_for_log("starting services: "))["message"]
        for service in starting.removeprefix("starting services: ").split(", "):
            self.wait_for_log(f'"{service} is ready"')


@contextmanager
def starting(*modules: str, **environment: str) -> Iterator[ServiceProcess]:
    """Start services with these environment variables; kill them when the block is left."""
    process = ServiceProcess(modules, environment)
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def running(*modules: str, **environment: str) -> Iterator[ServiceProcess]:
    """Run services, as `starting` does; when the block begins, they consume their queues."""
    with starting(*modules, **environment) as process:
        process.wait_until_ready()
        yield process


@contextmanager
def cluster(amqp_uri: str, timeout: float = PATIENCE, **options: Any) -> Iterator[Any]:
    """Call services as an unmodified Nameko client does."""
    with ClusterRpcProxy({"AMQP_URI": amqp_uri}, timeout=timeout, **options) as rpc:
        yield rpc
