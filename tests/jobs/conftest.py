"""The world in which jobs are tested, and Odoo in this process to make them."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Stack
from tests.jobs.world import DATABASE, World, install, odoo_options

Broker = Callable[[str], None]


@pytest.fixture(scope="session")
def jobs_database(stack: Stack) -> str:
    from odoo.tools import config  # noqa: PLC0415

    install()
    config.parse_config(odoo_options())
    return DATABASE


@pytest.fixture
def world(jobs_database: str, request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty database and a virtual host of the test's own.

    Its relays must keep their connections, unless the test is marked as one that breaks them.
    """
    world = World(fork=True)
    world.open()
    world.empty()
    yield world
    world.close()
    if not request.node.get_closest_marker("breaks_connections"):
        assert world.reconnects() == []


@pytest.fixture
def served(world: World) -> World:
    """A world with a relay and a service."""
    world.start_relay()
    world.start_service()
    return world


@pytest.fixture
def use_broker(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Have this process, in which the scheduled action runs, use the world's broker or another."""
    from odoo.addons.nameko_connector.tools.configuration import broker_config  # noqa: PLC0415

    def use(uri: str) -> None:
        monkeypatch.setenv("AMQP_URI", uri)
        broker_config.cache_clear()

    use(world.amqp_uri)
    yield use
    monkeypatch.undo()
    broker_config.cache_clear()
