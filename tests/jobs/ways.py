"""The way from a program to the broker or the database, which faults cut, freeze and swallow."""

import signal
import socket
import subprocess
import sys

from stack.ports import reserve
from tests.waiting import wait_until


class Way:
    """A port that leads to another, through a process that can be killed and frozen."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.port = reserve()
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.broker.forwarder"]
        process = subprocess.Popen([*command, str(self.port), str(self._target_port)])
        wait_until(self._listens, what="the way to be open")
        return process

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def cut(self) -> None:
        """Break all connections; new ones work again when it returns."""
        self.close()
        self._process = self._start()

    def swallow(self) -> None:
        """Let the connections of this moment die silently; new ones work."""
        self._process.send_signal(signal.SIGUSR1)

    def freeze(self) -> None:
        """Keep back everything until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
