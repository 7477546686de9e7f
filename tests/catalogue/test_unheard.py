"""What RabbitMQ knows of queues: services that do not beat, waiting requests, dead letters."""

import kombu
import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

SERVICES = "SELECT name, state FROM nameko_service"


def test_service_that_does_not_beat_is_listed_without_description(world: World):
    world.start_service()
    world.start_relay()
    assert wait_until(lambda: world.sql(SERVICES)) == [("probe", "unknown")]
    assert world.sql("SELECT 1 FROM nameko_method") == []


def publish(world: World, queue: str, count: int) -> None:
    with kombu.Connection(world.amqp_uri) as connection:
        connection.default_channel.queue_declare(queue, durable=True, auto_delete=False)
        for _ in range(count):
            connection.Producer().publish({}, routing_key=queue)


@pytest.mark.usefixtures("use_broker")
def test_without_a_relay_the_scheduled_action_lists_it(world: World):
    world.start_service()

    def found() -> list[tuple[str, str]]:
        with world.env() as env:
            env["nameko.instance"]._cron_keep()
        return world.sql(SERVICES)

    assert wait_until(found) == [("probe", "unknown")]


@pytest.mark.usefixtures("use_broker")
def test_what_waits_and_what_was_given_up_is_counted(world: World):
    publish(world, "rpc-counted", 3)
    publish(world, "nameko.dead-counted", 2)
    query = "SELECT queue_known, queue_ready, queue_consumers, dead_count FROM nameko_service"

    def counted() -> list[tuple[object, ...]]:
        with world.env() as env:
            env["nameko.instance"]._cron_keep()
        return world.sql(query)

    wait_until(lambda: counted() == [(True, 3, 0, 2)], what="the figures")
