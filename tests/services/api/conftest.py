"""Fixtures: the REST API and all services, shared by the tests of a module."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import running
from tests.services.api.rest_api import KEY, serving
from tests.services.mail.smtp_server import SmtpServer


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
