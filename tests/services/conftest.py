"""Fixtures of the tests of the services."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.services.processes import Vhost, new_vhost
from tests.services.tcp_proxy import TcpProxy


@pytest.fixture(scope="module")
def vhost() -> Iterator[Vhost]:
    """A vhost that the tests of a module share."""
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture
def fresh_vhost() -> Iterator[Vhost]:
    """A vhost of this test alone."""
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture
def proxy(fresh_vhost: Vhost) -> Iterator[TcpProxy]:
    """A way to the broker that can be cut, with the `uri` of the vhost behind it."""
    address = urlsplit(fresh_vhost.amqp_uri)
    proxy = TcpProxy(address.hostname, address.port)
    proxy.uri = fresh_vhost.amqp_uri.replace(f":{address.port}", f":{proxy.port}")
    yield proxy
    proxy.cut()
