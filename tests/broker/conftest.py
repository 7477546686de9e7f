"""Fixtures for tests of `broker/`: their own RabbitMQ, vhosts, services and clients."""

import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stack.layout import CHECKOUT
from tests.broker.processes import Service
from tests.broker.rabbitmq import RabbitMQ, make_folder
from tests.processes import Forwarder, forwarded
from tests.vhosts import Vhost, new_vhost

# `broker` is imported without Odoo and its `odoo.addons`.
sys.path.insert(0, str(CHECKOUT / "odoo_addons" / "nameko_connector"))

from broker import BrokerConfig, Client


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    folder = make_folder()
    broker = RabbitMQ(folder)
    broker.start()
    yield broker
    broker.shut_down()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def vhost(rabbitmq: RabbitMQ) -> Iterator[Vhost]:
    with new_vhost(rabbitmq.amqp_uri, rabbitmq.management_uri) as vhost:
        yield vhost


@pytest.fixture
def start_service(vhost: Vhost) -> Iterator[Callable[[], Service]]:
    """Start instances of the service `probe`, which end with the test."""
    started: list[Service] = []

    def start() -> Service:
        started.append(Service(vhost))
        return started[-1]

    yield start
    for service in started:
        if service.is_alive():
            service.kill()


@pytest.fixture(scope="module")
def kept_service(vhost: Vhost) -> Iterator[Service]:
    """One instance for all tests of a module, which must not stop it."""
    service = Service(vhost)
    yield service
    service.kill()


@pytest.fixture
def make_client(vhost: Vhost) -> Iterator[Callable[..., Client]]:
    """Create clients with the given settings; they are closed after the test."""
    made: list[Client] = []

    def make(uri: str | None = None, **settings: Any) -> Client:
        made.append(Client(BrokerConfig(uri or vhost.amqp_uri, **settings)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


@pytest.fixture
def forwarder(rabbitmq: RabbitMQ) -> Iterator[Forwarder]:
    with forwarded(rabbitmq.port) as way:
        yield way
