"""Fixtures of the tests of policies."""

from collections.abc import Iterator

import pytest

from tests.jobs.policies.counted import Counted
from tests.jobs.world import World


@pytest.fixture
def counted(world: World) -> Iterator[Counted]:
    """A world with a service that counts; its relays are started by the test."""
    counted = Counted(world)
    world.start_service()
    yield counted
    counted.open_gate()
