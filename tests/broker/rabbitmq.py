"""A RabbitMQ for tests only, which they can stop, kill and freeze."""

import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import requests

from stack.install import programs
from stack.ports import reserve
from tests.broker.certificates import Authority
from tests.processes import HOST
from tests.vhosts import Management
from tests.waiting import wait_until

LOGIN = "guest:guest"


class RabbitMQ:
    """A broker with a plain port, a TLS port that needs a client certificate, and its API."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self.tls_port, self._api_port = reserve(), reserve(), reserve()
        self._epmd_port, self._dist_port = reserve(), reserve()
        self.amqp_uri = f"amqp://{LOGIN}@{HOST}:{self.port}/"
        self.management_uri = f"http://{LOGIN}@{HOST}:{self._api_port}"
        self.request = Management(self.management_uri).request
        self.authority = Authority(folder)
        self._programs = programs.rabbitmq()
        self._write_configuration(*self.authority.issue("broker"))

    def _write_configuration(self, certificate: Path, key: Path) -> None:
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\nlisteners.ssl.1 = {HOST}:{self.tls_port}\n"
            f"management.tcp.ip = {HOST}\nmanagement.tcp.port = {self._api_port}\n"
            "management.rates_mode = none\ncollect_statistics_interval = 1000\n"
            f"ssl_options.cacertfile = {self.authority.file}\n"
            f"ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n"
            "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n"
        )
        (self._folder / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": ":".join(filter(None, (self._programs.other_folders, os.environ["PATH"]))),
            "LD_LIBRARY_PATH": self._programs.libraries,
            "HOME": str(self._folder),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_ALLOW_INPUT": "1",  # the start script becomes the server
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder),
            "RABBITMQ_LOGS": "-",
        }

    def _run(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self._folder / "output.log").open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start(self) -> None:
        """Start and wait until it takes connections and answers the management API."""
        if not hasattr(self, "_epmd"):
            self._epmd = self._run("epmd", "-address", HOST, "-port", str(self._epmd_port))
        self._server = self._run(f"{self._programs.folder}/rabbitmq-server")
        wait_until(self._is_up, what=f"RabbitMQ, see {self._folder}/output.log")

    def _is_up(self) -> bool:
        assert self._server.poll() is None, (self._folder / "output.log").read_text()[-2000:]
        try:
            socket.create_connection((HOST, self.port), 1).close()
            return bool(self.request("GET", "overview"))
        except (OSError, requests.RequestException):
            return False

    def control(self, *command: str) -> None:
        """Run rabbitmqctl."""
        node = self._environment()["RABBITMQ_NODENAME"]
        process = self._run(f"{self._programs.folder}/rabbitmqctl", "-n", node, *command)
        assert process.wait(60) == 0, (self._folder / "output.log").read_text()[-2000:]

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait(60)

    def kill(self) -> None:
        self._server.kill()
        self._server.wait(60)

    def freeze(self) -> None:
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._server.send_signal(signal.SIGCONT)

    def shut_down(self) -> None:
        self.thaw()
        self.stop()
        self._epmd.terminate()
        self._epmd.wait()


def make_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="rabbitmq-tests-"))
