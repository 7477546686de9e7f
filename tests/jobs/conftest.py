"""Fixtures for tests of jobs: their world, and Odoo in this process to create jobs."""

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

    Its relays must not lose a connection, unless the test has the mark `breaks_connections`.
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
    """Set the broker of this process, which runs the scheduled action; first the world's."""
    from odoo.addons.nameko_connector.tools.configuration import broker_config  # noqa: PLC0415

    def use(uri: str) -> None:
        monkeypatch.setenv("AMQP_URI", uri)
        broker_config.cache_clear()

    use(world.amqp_uri)
    yield use
    monkeypatch.undo()
    broker_config.cache_clear()
