"""Real service processes on a virtual host of their own: for the tests and the benchmark."""

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from nameko.standalone.rpc import ClusterRpcProxy

from tests.waiting import wait_until

DIES_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "KILL", "--")
ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "services" / "config.yaml"
BIN = Path(sys.executable).parent
# Eventlet loads a DNS library of its own, which takes half a second; here no name is looked up.
QUICK_START = {"EVENTLET_NO_GREENDNS": "yes"}


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Vhost:
    """A virtual host of its own on the running RabbitMQ."""

    def __init__(self, amqp_uri: str, management_uri: str) -> None:
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.api = management_uri.rstrip("/") + "/api"
        self.amqp_uri = f"{amqp_uri.rsplit('/', 1)[0] if amqp_uri.count('/') > 2 else amqp_uri}"
        self.amqp_uri += f"/{self.name}"

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = requests.request(method, f"{self.api}/{path}", timeout=10, **kwargs)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def create(self) -> None:
        user = requests.utils.urlparse(self.api).username
        self.request("PUT", f"vhosts/{self.name}")
        self.request(
            "PUT",
            f"permissions/{self.name}/{user}",
            json={"configure": ".*", "write": ".*", "read": ".*"},
        )

    def delete(self) -> None:
        self.request("DELETE", f"vhosts/{self.name}")


@contextmanager
def new_vhost() -> Iterator[Vhost]:
    vhost = Vhost(os.environ["AMQP_URI"], os.environ["RABBITMQ_MANAGEMENT_URI"])
    vhost.create()
    try:
        yield vhost
    finally:
        vhost.delete()


class ServiceProcess:
    """A real `nameko run` of some services, with its log lines."""

    def __init__(self, services: tuple[str, ...], environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*DIES_WITH_THE_TESTS, BIN / "nameko", "run", "--config", CONFIG, *services],
            cwd=ROOT,
            env={**os.environ, **QUICK_START, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_until_ready(self) -> None:
        """Wait until every service of the process consumes its queues."""
        starting = json.loads(self.wait_for_log("starting services: "))["message"]
        for service in starting.removeprefix("starting services: ").split(", "):
            self.wait_for_log(f'"{service} is ready"')

    def logged(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def wait_for_log(self, text: str, timeout: float = 90) -> str:
        try:
            wait_until(lambda: self.logged(text), seconds=timeout)
        except TimeoutError as error:
            raise AssertionError(f"{text!r} was not logged: {self.lines[-20:]}") from error
        return next(line for line in self.lines if text in line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def terminate(self) -> int:
        """Ask the process to stop, and return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.kill()


@contextmanager
def running(*services: str, wait: bool = True, **environment: str) -> Iterator[ServiceProcess]:
    """Run `services` with these environment variables; kill them when the block is left."""
    process = ServiceProcess(services, environment)
    try:
        if wait:
            process.wait_until_ready()
        yield process
    finally:
        process.kill()


@contextmanager
def cluster(amqp_uri: str, timeout: float = 30, **options: Any) -> Iterator[Any]:
    with ClusterRpcProxy({"AMQP_URI": amqp_uri}, timeout=timeout, **options) as rpc:
        yield rpc
