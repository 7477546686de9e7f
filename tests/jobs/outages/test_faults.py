"""Processes killed, connections frozen, brokers full: nothing is lost and nothing written twice."""

import os
from collections.abc import Iterator

import psycopg2
import pytest

from stack.stack import broker_answers
from stack.supervision import Control
from tests.broker_alarm import disk_alarm
from tests.jobs.world import World
from tests.processes import Forwarder, forwarded
from tests.waiting import wait_until

JOBS = 400
OPTIONS = {"timeout": 5, "retry_delays": [0.2], "max_attempts": 50}


@pytest.fixture
def whole(stack, faults: Control) -> Iterator[Control]:
    """Control over the stack, of which everything runs again after the test."""
    yield faults
    faults.start("postgres")
    wait_until(database_answers)


def database_answers() -> bool:
    try:
        psycopg2.connect(dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def wait_until_some_are_done(world: World, some: int = 30) -> None:
    wait_until(lambda: world.states().get("done", 0) >= some)


def assert_nothing_lost(world: World, count: int = JOBS) -> None:
    assert world.wait_until_finished() == {"done": count}
    assert world.hits() == {1: count}


def test_relay_is_killed(world: World):
    world.start_service()
    relay = world.start_relay()
    world.make(JOBS, **OPTIONS)
    for some in (1, 100, 200):
        wait_until_some_are_done(world, some)
        relay.kill()
        relay = world.start_relay()
    assert_nothing_lost(world)


def test_service_is_killed(served: World):
    service = served.programs[-1]
    served.make(JOBS, **OPTIONS)
    for some in (1, 150):
        wait_until_some_are_done(served, some)
        service.kill()
        service = served.start_service()
    assert_nothing_lost(served)
    assert set(map(int, served.ran())) == set(range(JOBS))


@pytest.mark.breaks_connections
def test_broker_is_killed(served: World, whole: Control):
    served.make(JOBS, **OPTIONS)
    wait_until_some_are_done(served)
    killed = whole.pid("rabbitmq")
    whole.signal("rabbitmq", "KILL")
    wait_until(lambda: whole.pid("rabbitmq") != killed)
    wait_until(lambda: not broker_answers(os.environ))
    served.make(JOBS, **OPTIONS)  # Odoo does not need the broker for this
    whole.start("rabbitmq")
    wait_until(lambda: broker_answers(os.environ))
    served.start_service()  # an unsupervised one ends with its broker
    assert_nothing_lost(served, 2 * JOBS)


@pytest.mark.breaks_connections
def test_database_is_killed(served: World, whole: Control):
    served.make(JOBS, **OPTIONS)
    wait_until_some_are_done(served)
    whole.signal("postgres", "KILL")
    wait_until(lambda: not database_answers())
    whole.start("postgres")
    wait_until(database_answers)
    assert_nothing_lost(served)


@pytest.mark.breaks_connections
def test_broker_connections_die_silently(world: World):
    with forwarded(world.vhost.port) as way:
        assert_silence_is_noticed(world, way, AMQP_URI=world.vhost.uri(way.port))


@pytest.mark.breaks_connections
def test_database_connections_die_silently(world: World):
    with forwarded(int(os.environ["PGPORT"])) as way:
        assert_silence_is_noticed(world, way, PGPORT=str(way.port))


def assert_silence_is_noticed(world: World, way: Forwarder, **environment: str) -> None:
    world.start_relay(**environment)
    world.start_service()
    world.make(10, **OPTIONS)
    world.wait_until_finished()
    way.forget_connections()
    world.make(JOBS, **OPTIONS)
    assert_nothing_lost(world, JOBS + 10)


@pytest.mark.breaks_connections
def test_full_disk_of_the_broker(served: World):
    with disk_alarm():
        served.make(50, **OPTIONS)
        wait_until(lambda: "connects again" in served.programs[0].output)
        assert served.states().get("done", 0) < 50
    assert_nothing_lost(served, 50)


@pytest.mark.breaks_connections
def test_deleted_reply_queue_is_declared_again(served: World):
    served.make(10, **OPTIONS)
    served.wait_until_finished()
    served.vhost.delete_queue(served.reply_queue)
    served.make(JOBS, **OPTIONS)
    assert_nothing_lost(served, JOBS + 10)
