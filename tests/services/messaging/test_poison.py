"""Requests that end the process that runs them, and what is beside them."""

import contextlib
import json
import threading
import time
import zlib
from collections import Counter

import pytest
from amqp import Message as Content
from kombu import Connection, Exchange, Queue

from services.messaging.deliveries import HEADER, Record, copy_of
from services.messaging.reading import Message
from tests.processes import forwarded, running, starting
from tests.services.durable_client import DurableClient
from tests.services.test_faults import progress_of
from tests.waiting import wait_until

POISON = "tests.services.messaging.poison_service"
SLOW = "tests.services.slow_service"
GOOD = 200


@contextlib.contextmanager
def respawning(count, *services, **environment):
    """Run so many instances; one that ends is started again, as a supervisor does."""
    over = threading.Event()

    def keep_running():
        while not over.is_set():
            with starting(*services, **environment) as process:
                while process.is_alive() and not over.wait(0.05):
                    pass

    threads = [threading.Thread(target=keep_running) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def runs(folder):
    """Return how often each thing was run."""
    return Counter({file.name: len(file.read_text().splitlines()) for file in folder.iterdir()})


@pytest.fixture
def client(fresh_vhost):
    """A client of a service that was there before."""
    with running(POISON, AMQP_URI=fresh_vhost.amqp_uri):
        return DurableClient(fresh_vhost.amqp_uri)


def dead_letters(amqp_uri, service):
    """Take the dead letters of a service from the broker."""
    with Connection(amqp_uri) as connection:
        queue = Queue(f"nameko.dead-{service}", channel=connection.default_channel)
        letters = []
        while message := queue.get(no_ack=True):
            letters.append(message)
    return letters


@pytest.mark.parametrize("instances", [1, 2])
def test_a_deadly_request_is_given_up_and_the_others_go_on(
    fresh_vhost, client, tmp_path, instances
):
    folder = str(tmp_path)
    first = client.request("poison.work", *[(folder, number) for number in range(GOOD // 2)])
    (deadly,) = client.request("poison.die", (folder,), **{"nameko.job": "the-job"})
    calls = [(folder, number) for number in range(GOOD // 2, GOOD)]
    ids = first + client.request("poison.work", *calls)
    with respawning(instances, POISON, AMQP_URI=fresh_vhost.amqp_uri):
        assert [reply["result"] for reply in client.wait_for(ids, 120)] == list(range(GOOD))
        (reply,) = client.wait_for([deadly], 120)
    assert reply["error"]["exc_type"] == "RequestGivenUp"
    assert deadly in reply["error"]["value"]
    assert "poison.die" in reply["error"]["value"]
    assert "5" in reply["error"]["value"]
    counts = runs(tmp_path)
    assert counts.pop("deaths") == 5
    assert max(counts.values()) <= 4
    assert counts.total() < GOOD + 60
    (letter,) = dead_letters(fresh_vhost.amqp_uri, "poison")
    assert letter.properties["correlation_id"] == deadly
    assert letter.headers["nameko.job"] == "the-job"
    assert letter.headers[HEADER]["routing_key"] == "poison.die"
    assert json.loads(letter.body)["args"] == [folder]


@pytest.mark.parametrize("where", ["event", "task"])
def test_a_deadly_event_or_task_is_given_up_and_the_others_go_on(
    fresh_vhost, client, tmp_path, where
):
    names = ["deadly", *(f"good-{number}" for number in range(20))]
    with Connection(fresh_vhost.amqp_uri) as connection:
        exchange, key = (Exchange("source.events"), "happened") if where == "event" else ("", None)
        for name in names:
            connection.Producer().publish(
                {"folder": str(tmp_path), "name": name},
                exchange=exchange,
                routing_key=key or "poison.tasks",
                serializer="json",
            )
    with respawning(1, POISON, AMQP_URI=fresh_vhost.amqp_uri):
        (letter,) = wait_until(lambda: dead_letters(fresh_vhost.amqp_uri, "poison"))
        wait_until(lambda: set(names) == set(runs(tmp_path)))
    assert json.loads(letter.body)["name"] == "deadly"
    assert runs(tmp_path)["deadly"] == 5
    assert max(runs(tmp_path).values()) <= 5


def test_a_task_that_always_fails_does_not_come_back_for_ever(fresh_vhost, client, tmp_path):
    """Nameko's own `requeue_on_error` gives it back at once, without end."""
    with running(POISON, AMQP_URI=fresh_vhost.amqp_uri):
        with Connection(fresh_vhost.amqp_uri) as connection:
            task = {"folder": str(tmp_path), "name": "failing"}
            producer = connection.Producer()
            producer.publish(task, routing_key="poison.again", serializer="json")
        wait_until(lambda: dead_letters(fresh_vhost.amqp_uri, "poison"))
    assert runs(tmp_path)["failing"] == 5


def test_what_is_given_back_in_order_is_not_counted(fresh_vhost):
    """A count of primes that shutdowns interrupt more often than it may be delivered."""
    environment = {
        "AMQP_URI": fresh_vhost.amqp_uri,
        "COMPUTE_STOP_SECONDS": "0.2",
        "MAX_DELIVERIES": "1",
    }
    with running("services.compute", **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = client.request("compute.prime_count", (4 * 10**8,))
        wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
        assert process.terminate() == 0
    with running("services.compute", **environment) as process:
        wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
        assert process.terminate() == 0
    with running("services.compute", **environment):
        (reply,) = client.wait_for(ids, 240)  # the pool's processes are nice to all others
    assert reply["result"] == 21336326


def wait_for_run(folder, count=1):
    runs_file = folder / "runs"
    wait_until(lambda: runs_file.exists() and len(runs_file.read_text().splitlines()) >= count)


def test_work_goes_on_when_only_the_connection_was_lost(fresh_vhost, proxy, tmp_path):
    """The same process gets the request again, and is still at it: no second run, no count."""
    with running(SLOW, AMQP_URI=fresh_vhost.uri(proxy.port), MAX_DELIVERIES="1") as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = client.request("slow.work", (str(tmp_path),))
        wait_for_run(tmp_path)
        for number in range(2):
            proxy.cut()
            proxy.restore()
            wait_until(
                lambda seen=number: (
                    sum("goes on after its connection" in line for line in process.lines) > seen
                )
            )
        (tmp_path / "go").touch()
        (reply,) = client.wait_for(ids)
    assert reply["result"] == "done"
    assert len((tmp_path / "runs").read_text().splitlines()) == 1
    assert len(client.replies[ids[0]]) == 1


def test_what_a_living_process_had_not_read_is_not_counted(fresh_vhost):
    """A connection is lost with requests in it: they have ended no process."""
    with (
        forwarded(fresh_vhost.port) as way,
        running(SLOW, AMQP_URI=fresh_vhost.uri(way.port)) as process,
    ):
        client = DurableClient(fresh_vhost.amqp_uri)
        client.wait_for(client.request("slow.repeat", ("x", 1)))
        way.freeze()
        ids = client.request("slow.repeat", *[("x", number) for number in range(8)])
        wait_until(lambda: fresh_vhost.messages("rpc-slow") == 0)  # RabbitMQ has sent them
        way.cut()
        replies = client.wait_for(ids)
    assert [reply["result"] for reply in replies] == ["x" * number for number in range(8)]
    assert not process.logged("was delivered before")


def test_a_copy_keeps_what_the_message_said():
    properties = {
        "content_type": "application/json",
        "correlation_id": "id",
        "reply_to": "somebody",
        "priority": 7,
        "message_id": "mine",
        "expiration": "60000",
        "user_id": "whose publisher is another",
        "application_headers": {"nameko.job": "job", "CC": ["elsewhere"]},
    }
    message = delivered(Content("{}", **properties))
    record = Record.take(message, "rpc-poison")
    record.count += 1
    copy = copy_of(message, record)
    for name in ("content_type", "correlation_id", "reply_to", "priority"):
        assert copy.properties[name] == properties[name]
    assert "user_id" not in copy.properties
    assert copy.headers["nameko.job"] == "job"
    assert "CC" not in copy.headers
    again = Record.take(delivered(copy), "elsewhere")
    assert again == record
    assert (again.count, again.queue, again.message_id) == (1, "rpc-poison", "mine")


def test_a_copy_of_a_packed_message_is_packed():
    packed = zlib.compress(b"[1, 2]" * 1000)
    headers = {"compression": "gzip"}
    content = Content(packed, content_type="application/json", application_headers=headers)
    message = delivered(content)
    assert len(message.body) == 6000
    copy = copy_of(message, Record.take(message, "rpc-poison"))
    assert copy.body == packed
    assert delivered(copy).body == message.body


def test_a_copy_waits_no_longer_than_the_message_had_left():
    message = delivered(Content("{}", expiration="60000"))
    record = Record.take(message, "rpc-poison")
    record.since = int((time.time() - 20) * 1000)
    assert 39_000 < int(copy_of(message, record).properties["expiration"]) <= 40_000
    record.since = 1
    assert copy_of(message, record).properties["expiration"] == "1"


def delivered(content):
    """Return a message as a consumer gets it."""
    info = {"exchange": "nameko-rpc", "routing_key": "poison.work", "redelivered": True}
    content.delivery_info = {**info, "delivery_tag": 1}
    content.flaw, content.kept = None, True
    return Message(content, None, 10**6)
