"""A real process of the REST API, and fixtures for a module of tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from stack.ports import reserve
from tests.processes import HOST, Process, running
from tests.services.smtp_server import SmtpServer
from tests.waiting import wait_until

KEY = "a-key-of-the-tests"
SUM = {"operation": "sum", "value": 30, "other": 10}


class Api(Process):
    """A real `python -m services.api`."""

    def __init__(self, **environment: Any) -> None:
        self.port = reserve()
        self.url = f"http://{HOST}:{self.port}"
        command = [sys.executable, "-W", "ignore", "-m", "services.api"]
        super().__init__("api", command, {"API_PORT": str(self.port), **environment})
        wait_until(self._answers)

    def _answers(self) -> Any:
        try:
            return requests.get(f"{self.url}/health", timeout=5) is not None
        except requests.ConnectionError:
            return False

    def compute(self, body: Any = SUM, key: Any = KEY, wait: Any = None, timeout: Any = 20) -> Any:
        return requests.post(
            f"{self.url}/compute",
            json=body,
            params={} if wait is None else {"wait": wait},
            headers={} if key is None else {"X-API-Key": key},
            timeout=timeout,
        )


@contextmanager
def serving(**environment: Any) -> Iterator[Any]:
    api = Api(**environment)
    try:
        yield api
    finally:
        api.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    server = SmtpServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def environment(vhost: Any, server: Any, tmp_path_factory: Any) -> Any:
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
def services(environment: Any) -> Iterator[Any]:
    with running("services", **environment) as process:
        yield process


@pytest.fixture(scope="module")
def api(services: Any, environment: Any) -> Iterator[Any]:
    with serving(**environment) as api:
        yield api
