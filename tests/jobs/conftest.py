"""The world in which jobs are tested, and Odoo in this process to make them."""

from collections.abc import Iterator

import pytest

from tests.conftest import Stack
from tests.jobs.world import DATABASE, World, install, odoo_options


@pytest.fixture(scope="session")
def jobs_database(stack: Stack) -> str:
    from odoo.tools import config  # noqa: PLC0415

    install()
    config.parse_config(odoo_options())
    return DATABASE


@pytest.fixture
def world(jobs_database: str) -> Iterator[World]:
    """An empty database and a virtual host of the test's own."""
    world = World()
    world.open()
    world.empty()
    yield world
    world.close()


@pytest.fixture
def served(world: World) -> World:
    """A world with a relay and a service."""
    world.start_relay()
    world.start_service()
    return world
