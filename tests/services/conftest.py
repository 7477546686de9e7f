"""Fixtures of the tests of the services."""

from collections.abc import Iterator

import pytest

from tests.processes import ServiceProcess, running
from tests.tcp_proxy import TcpProxy
from tests.vhosts import Vhost, new_vhost


@pytest.fixture(scope="module")
def vhost() -> Iterator[Vhost]:
    """A vhost that the tests of a module share."""
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture
def fresh_vhost() -> Iterator[Vhost]:
    """A vhost for one test."""
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture
def proxy(fresh_vhost: Vhost) -> Iterator[TcpProxy]:
    """A TCP proxy to the broker that can break its connections."""
    proxy = TcpProxy(fresh_vhost.port)
    yield proxy
    proxy.cut()


@pytest.fixture(scope="module")
def compute(vhost: Vhost) -> Iterator[ServiceProcess]:
    """An instance of the service `compute` that the tests of a module share."""
    with running("services.compute", AMQP_URI=vhost.amqp_uri) as process:
        yield process
