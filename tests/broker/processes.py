"""Processes around the broker: services, and forwarders of connections."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from stack.ports import reserve
from tests.broker.rabbitmq import HOST, Vhost
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A child that dies with the tests."""

    def __init__(self, *command: str, log: Path | None = None, **environment: str) -> None:
        output = log.open("ab") if log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-W", "ignore", *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Service(Process):
    """An instance of the service `probe`."""

    def __init__(self, vhost: Vhost, **environment: str) -> None:
        self._vhost = vhost
        before = self._vhost.consumers()
        module = "tests.broker.probe_service"
        super().__init__("-m", "nameko", "run", "--broker", vhost.uri(), module, **environment)
        wait_until(lambda: self._vhost.consumers() > before, what="the service probe")

    def kill_process(self) -> None:
        """Kill it where the broker cannot be asked, or knows nothing of it."""
        super().kill()

    def kill(self) -> None:
        """Kill the process and wait until the broker has noticed."""
        before = self._vhost.consumers()
        super().kill()
        wait_until(lambda: self._vhost.consumers() < before, what="the end of a consumer")


class Forwarder(Process):
    """Forwards connections to the broker; see `forwarder.py`."""

    def __init__(self, target_port: int) -> None:
        self.port = reserve()
        super().__init__("-m", "tests.broker.forwarder", str(self.port), str(target_port))
        wait_until(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), 1).close()
        except OSError:
            return False
        return True

    def forget_connections(self) -> None:
        self.signal(signal.SIGUSR1)
