"""Fixtures for tests of the catalogue: the world of the jobs' tests, and services that beat."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker.conftest import rabbitmq, vhost
from tests.jobs.conftest import jobs_database, use_broker
from tests.jobs.conftest import world as jobs_world
from tests.jobs.world import World
from tests.processes import CONFIG, Process, nameko_run

__all__ = ["jobs_database", "jobs_world", "rabbitmq", "use_broker", "vhost"]
StartService = Callable[..., Process]


@pytest.fixture
def world(jobs_world: World) -> World:
    """A world whose catalogue is empty."""
    for table in ("nameko_instance", "nameko_method", "nameko_service"):
        jobs_world.sql(f"DELETE FROM {table}")  # noqa: S608  TRUNCATE would take all actions along
    jobs_world.sql("DELETE FROM mail_activity WHERE res_model = 'nameko.service'")
    return jobs_world


@pytest.fixture
def start_compute(world: World) -> StartService:
    """Start an instance of the service `compute`. interval: seconds between two beats."""

    def start(interval: float = 0.2, config: Path = CONFIG) -> Process:
        command = nameko_run("services.compute", config=config)
        program = world.start("compute", command, "nameko", HEARTBEAT_INTERVAL=str(interval))
        program.wait_for_log("compute is ready")
        return program

    return start


def beats_queue(world: World) -> str:
    """Return the queue in which beats wait for the test's database."""
    return f"nameko_connector.beats-{world.identity}"
