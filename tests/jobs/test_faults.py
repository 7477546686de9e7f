"""Processes killed, connections frozen, brokers full: nothing is lost and nothing written twice."""

import os
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from stack.ports import reserve
from stack.stack import broker_answers
from stack.supervision import Control
from tests.broker_alarm import disk_alarm
from tests.jobs.world import World
from tests.waiting import wait_until

JOBS = 400
OPTIONS = {"timeout": 5, "retry_delays": [0.2], "max_attempts": 50}


@pytest.fixture
def whole(stack, faults: Control) -> Iterator[Control]:
    """Control over the stack, of which everything runs again after the test."""
    yield faults
    faults.start("postgres")
    wait_until(database_answers, seconds=60)


def database_answers() -> bool:
    try:
        psycopg2.connect(dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def wait_until_some_are_done(world: World, some: int = 30) -> None:
    wait_until(lambda: world.states().get("done", 0) >= some, seconds=60)


def assert_nothing_lost(world: World, count: int = JOBS, seconds: float = 120) -> None:
    assert world.wait_until_finished(seconds) == {"done": count}
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
    wait_until(lambda: not broker_answers(os.environ), seconds=30)
    served.make(JOBS, **OPTIONS)  # Odoo does not need the broker for this
    whole.start("rabbitmq")
    wait_until(lambda: broker_answers(os.environ), seconds=60)
    served.start_service()  # an unsupervised one ends with its broker
    assert_nothing_lost(served, 2 * JOBS)


@pytest.mark.breaks_connections
def test_database_is_killed(served: World, whole: Control):
    served.make(JOBS, **OPTIONS)
    wait_until_some_are_done(served)
    whole.signal("postgres", "KILL")
    wait_until(lambda: not database_answers(), seconds=30)
    whole.start("postgres")
    wait_until(database_answers, seconds=60)
    assert_nothing_lost(served)


@contextmanager
def forwarded(port: int) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A port that leads to another, and the process between them."""
    own = reserve()
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.broker.forwarder"]
    process = subprocess.Popen([*command, str(own), str(port)])
    try:
        yield own, process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def broker_way(world: World) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    parts = urllib.parse.urlsplit(world.amqp_uri)
    with forwarded(parts.port) as (port, process):
        address = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
        yield parts._replace(netloc=address).geturl(), process


@pytest.mark.breaks_connections
def test_broker_connections_die_silently(world: World, broker_way):
    uri, forwarder = broker_way
    assert_silence_is_noticed(world, forwarder, AMQP_URI=uri)


@pytest.mark.breaks_connections
def test_database_connections_die_silently(world: World):
    with forwarded(int(os.environ["PGPORT"])) as (port, forwarder):
        assert_silence_is_noticed(world, forwarder, PGPORT=str(port))


def assert_silence_is_noticed(
    world: World, forwarder: "subprocess.Popen[bytes]", **environment: str
) -> None:
    relay = world.start_relay(wait=False, **environment)
    wait_until(lambda: "serves" in relay.log.read_text())
    world.start_service()
    world.make(10, **OPTIONS)
    world.wait_until_finished()
    forwarder.send_signal(signal.SIGUSR1)
    world.make(JOBS, **OPTIONS)
    assert_nothing_lost(world, JOBS + 10)


@pytest.mark.breaks_connections
def test_full_disk_of_the_broker(served: World):
    with disk_alarm():
        served.make(50, **OPTIONS)
        wait_until(lambda: "connects again" in served.programs[0].log.read_text(), seconds=60)
        assert served.states().get("done", 0) < 50
    assert_nothing_lost(served, 50)


@pytest.mark.breaks_connections
def test_deleted_reply_queue_is_declared_again(served: World):
    served.make(10, **OPTIONS)
    served.wait_until_finished()
    served.delete_queue(served.reply_queue)
    served.make(JOBS, **OPTIONS)
    assert_nothing_lost(served, JOBS + 10)
