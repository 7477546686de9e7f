"""Fixtures for tests of the relay service."""

from collections.abc import Iterator

import pytest

from tests.jobs.many.many import PREFIX, Many, create, drop
from tests.jobs.world import World

NAMES = ("a", "b", "c")


@pytest.fixture(scope="session")
def copies(jobs_database: str) -> Iterator[None]:
    """Three databases with the tests' addon."""
    for name in NAMES:
        create(name)
    yield
    for name in NAMES:
        drop(name)


@pytest.fixture
def many(world: World, copies: None) -> Iterator[Many]:
    """Three empty databases, and a service for their jobs; the test starts the relay service."""
    for name in NAMES:
        database = world.beside(PREFIX + name)
        database.empty()
        database.sql("DELETE FROM nameko_batch")
    world.start_service()
    served = Many(world)
    yield served
    served.close()
