"""Somebody on the broker sends events `beat` that are none, or far too many."""

import json
import uuid

import kombu
import pytest

from tests.catalogue.conftest import StartService, beats_queue
from tests.jobs.world import World
from tests.processes import Process
from tests.waiting import wait_until

PIDS = "SELECT pid FROM nameko_instance WHERE state = 'up'"
NOTHING = ["", "{", "\xff", "[]", "null", "{}", '{"id": 7}', "[" * 50_000, "x" * 2_000_000]


class Rogue:
    """Publishes anything as an event `beat`."""

    def __init__(self, uri: str) -> None:
        self._connection = kombu.Connection(uri)
        self._producer = self._connection.Producer(
            exchange=kombu.Exchange("heartbeat.events", "topic", durable=True)
        )

    def send(self, body: str | bytes, content_type: str = "application/json", **more) -> None:
        encoding = "utf-8" if isinstance(body, str) else "binary"
        self._producer.publish(
            body, routing_key="beat", content_type=content_type, content_encoding=encoding, **more
        )

    def close(self) -> None:
        self._connection.release()


@pytest.fixture
def rogue(world: World):
    rogue = Rogue(world.amqp_uri)
    yield rogue
    rogue.close()


def start_listening(world: World) -> Process:
    """Start a relay and wait until it hears beats."""
    relay = world.start_relay()
    wait_until(lambda: world.vhost.consumers(beats_queue(world)))
    return relay


def invented(**said) -> str:
    """A beat, as far as its form goes, of an instance that nobody runs."""
    body = {
        "id": str(uuid.uuid4()), "host": "nowhere", "pid": 1, "version": "", "interval": 0.05,
        "started": "2026-01-01T00:00:00+00:00", "services": [],
    }  # fmt: skip
    return json.dumps(body | said)


def test_garbage_hinders_neither_the_catalogue_nor_the_jobs(
    world: World, start_compute: StartService, rogue: Rogue
):
    relay = start_listening(world)
    world.start_service()
    for _ in range(5):
        for body in NOTHING:
            rogue.send(body)
            rogue.send(body.encode("latin-1"), "application/x-python-serialize")
        rogue.send(b"\xff\xfe\x00")
        rogue.send("{}", headers={"nameko.call_id_stack": "not a list"}, correlation_id="\u20ac")
    process = start_compute()
    world.make(20)
    assert world.wait_until_finished() == {"done": 20}
    wait_until(lambda: world.sql(PIDS) == [(process.pid,)])
    wait_until(lambda: world.vhost.messages(beats_queue(world)) == 0)
    assert relay.is_alive()
    log = relay.output
    assert log.count("that are none") == 1  # however many come
    assert "Traceback" not in log
    assert "connects again" not in log


def test_somebody_who_invents_instances(world: World, start_compute: StartService, rogue: Rogue):
    relay = start_listening(world)
    world.start_service()
    process = start_compute()
    wait_until(lambda: world.sql(PIDS) == [(process.pid,)])
    names = [f"invented_{number}" for number in range(5)]
    services = [{"name": name, "doc": "", "methods": []} for name in names]
    for _ in range(1_200):
        rogue.send(invented(services=services))
    world.make(20)
    assert world.wait_until_finished() == {"done": 20}
    wait_until(lambda: world.vhost.messages(beats_queue(world)) == 0)
    later = start_compute()
    pids = {process.pid, later.pid}
    wait_until(lambda: pids <= {pid for (pid,) in world.sql(PIDS)})
    assert relay.is_alive()
    assert "Traceback" not in relay.output


def test_instance_that_says_something_else_each_time(
    world: World, start_compute: StartService, rogue: Rogue
):
    relay = start_listening(world)
    process = start_compute()
    mine = str(uuid.uuid4())
    for number in range(300):
        rogue.send(invented(id=mine, version=str(number)))
    version = "SELECT version FROM nameko_instance WHERE host = 'nowhere'"
    wait_until(lambda: world.sql(version) == [("299",)])
    wait_until(lambda: (process.pid,) in world.sql(PIDS))
    assert relay.is_alive()


def test_service_of_ones_own_is_listed_beside_the_others(world: World, rogue: Rogue):
    """Any program may beat: it need not be of this project."""
    start_listening(world)
    parameter = {"name": "order", "kind": "KEYWORD_ONLY", "default": None}
    method = {"name": "quote", "doc": "", "parameters": [parameter]}
    body = invented(services=[{"name": "pricing", "doc": "Prices.", "methods": [method]}])
    rogue.send(body)
    wait_until(lambda: world.sql("SELECT name FROM nameko_service") == [("pricing",)])
    with world.env() as env:
        assert env["nameko.method"].search([]).signature == "(order = None)"
