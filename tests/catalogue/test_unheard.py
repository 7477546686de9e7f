"""Services that do not beat are listed from RabbitMQ's queues."""

import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

SERVICES = "SELECT name, state FROM nameko_service"


def test_service_that_does_not_beat_is_listed_without_description(world: World):
    world.start_service()
    world.start_relay()
    assert wait_until(lambda: world.sql(SERVICES), seconds=60) == [("probe", "unknown")]
    assert world.sql("SELECT 1 FROM nameko_method") == []


@pytest.mark.usefixtures("use_broker")
def test_without_a_relay_the_scheduled_action_lists_it(world: World):
    world.start_service()

    def found() -> list[tuple[str, str]]:
        with world.env() as env:
            env["nameko.instance"]._cron_keep()
        return world.sql(SERVICES)

    assert wait_until(found) == [("probe", "unknown")]
