"""Runs the REST API in a process of its own, and sends requests to it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from stack.ports import reserve
from tests.processes import HOST, Process
from tests.vhosts import Vhost
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


def reply_queues(vhost: Vhost) -> list[str]:
    """Return the names of the API's reply queues."""
    names = [queue["name"] for queue in vhost.request("GET", f"queues/{vhost.name}")]
    return [name for name in names if name.startswith("rpc.reply-standalone")]


@contextmanager
def serving(**environment: Any) -> Iterator[Any]:
    api = Api(**environment)
    try:
        yield api
    finally:
        api.kill()
