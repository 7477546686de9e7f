"""A real process of the REST API, and fixtures for a module of tests."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import pytest
import requests

from tests.services.processes import DIES_WITH_THE_TESTS, ROOT, free_port, running
from tests.services.smtp_server import SmtpServer
from tests.waiting import wait_until

KEY = "a-key-of-the-tests"
SUM = {"operation": "sum", "value": 30, "other": 10}


class Api:
    """A real `python -m services.api`."""

    def __init__(self, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        self.process = subprocess.Popen(
            [*DIES_WITH_THE_TESTS, sys.executable, "-W", "ignore", "-m", "services.api"],
            cwd=ROOT,
            env={**os.environ, "API_PORT": str(self.port), **environment},
            stderr=self._log,
        )
        wait_until(self._answers)

    def log(self):
        """What it has logged."""
        self._log.seek(0)
        return self._log.read().decode()

    def _answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5) is not None
        except requests.ConnectionError:
            return False

    def compute(self, body=SUM, key=KEY, wait=None, timeout=20):
        return requests.post(
            f"{self.url}/compute",
            json=body,
            params={} if wait is None else {"wait": wait},
            headers={} if key is None else {"X-API-Key": key},
            timeout=timeout,
        )


@contextmanager
def serving(**environment):
    api = Api(**environment)
    try:
        yield api
    finally:
        api.process.kill()
        api.process.wait()


@pytest.fixture(scope="module")
def server():
    server = SmtpServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def environment(vhost, server, tmp_path_factory):
    return {
        "AMQP_URI": vhost.amqp_uri,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "IDEMPOTENCY_URL": f"sqlite:///{tmp_path_factory.mktemp('store')}/store",
        "API_KEYS": f"another-key,{KEY}",
        "API_RATE_LIMIT": "1000000 per minute",
        "API_THREADS": "4",
    }


@pytest.fixture(scope="module")
def services(environment):
    with running("services", **environment) as process:
        yield process


@pytest.fixture(scope="module")
def api(services, environment):
    with serving(**environment) as api:
        yield api
