"""The world of the jobs' tests, in which services beat."""

from collections.abc import Callable

import pytest

from tests.broker.conftest import rabbitmq, vhost
from tests.jobs.conftest import jobs_database
from tests.jobs.conftest import world as jobs_world
from tests.jobs.world import CHECKOUT, Program, World

__all__ = ["jobs_database", "jobs_world", "rabbitmq", "vhost"]
CONFIG = CHECKOUT / "services" / "config.yaml"
StartService = Callable[..., Program]


@pytest.fixture
def world(jobs_world: World) -> World:
    """A world whose catalogue is empty."""
    jobs_world.sql("TRUNCATE nameko_service, nameko_instance, nameko_method CASCADE")
    jobs_world.sql("DELETE FROM mail_activity WHERE res_model = 'nameko.service'")
    return jobs_world


@pytest.fixture
def start_compute(world: World) -> StartService:
    """Start an instance of the service `compute` that beats so many times a second."""

    def start(interval: float = 0.2, config: str = str(CONFIG)) -> Program:
        command = ["-m", "nameko", "run", "--config", config, "services.compute"]
        program = world.start("compute", command, HEARTBEAT_INTERVAL=str(interval))
        program.wait_for("compute is ready")
        return program

    return start


def beats_queue(world: World) -> str:
    """The queue in which beats wait for the test's database."""
    identity = "SELECT split_part(value, '@', 1) FROM ir_config_parameter WHERE key = %s"
    ((name,),) = world.sql(identity, "nameko_compute.database_identity")
    return f"nameko_compute.beats-{name}"
