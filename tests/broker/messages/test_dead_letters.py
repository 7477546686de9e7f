"""Dead letters: read, sent again and dropped by a person, whatever they are."""

import uuid

import pytest
from broker import BrokerConfig
from broker.jobs.consumer import dead_queue, reply_queue
from broker.jobs.dead_letter import queues_of, queues_of_all
from broker.jobs.dead_letters import MOST_LETTERS, dead_letters
from broker.jobs.dead_requests import KEPT
from kombu import Connection, Exchange

from services.messaging.counting import dead_queue as dead_queue_of
from tests.processes import running
from tests.services.durable_client import DurableClient
from tests.services.messaging.poison_service import MENDED
from tests.services.messaging.test_poison import POISON, respawning, runs
from tests.vhosts import Vhost, new_vhost
from tests.waiting import wait_until

LARGE = 100_000  # bytes


@pytest.fixture
def vhost():
    with new_vhost() as vhost:
        yield vhost


def opened(vhost: Vhost, **options: int):
    return dead_letters(BrokerConfig(vhost.amqp_uri, **options))


def look(vhost, queues):
    with opened(vhost) as letters:
        found = letters.look(queues)
    assert found.unreadable == {}
    return found.letters


def put(vhost, queue, *bodies, arguments=None, **properties):
    """Publish messages to a queue, which is declared, and wait until it has them."""
    with Connection(vhost.amqp_uri, transport_options={"confirm_publish": True}) as connection:
        channel = connection.default_channel
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments or {})
        for body in bodies:
            connection.Producer().publish(
                body, routing_key=queue, content_type="application/json", content_encoding="utf-8",
                **properties,
            )  # fmt: skip


def test_an_event_that_was_given_up_is_sent_again_to_who_gave_it_up(vhost, tmp_path):
    with running(POISON, AMQP_URI=vhost.amqp_uri):
        pass  # which declares its queues
    with Connection(vhost.amqp_uri) as connection:
        connection.Producer().publish(
            {"folder": str(tmp_path), "name": "deadly"},
            exchange=Exchange("source.events"),
            routing_key="happened",
            serializer="json",
            expiration=3600,
        )
    queues = queues_of("poison")
    with respawning(1, POISON, AMQP_URI=vhost.amqp_uri):
        (letter,) = wait_until(lambda: look(vhost, queues))
        assert (letter.kind, letter.service, letter.name) == ("request", "poison", "happened")
        assert "delivered 5 times" in letter.reason
        assert "deadly" in letter.body
        (tmp_path / MENDED).touch()
        with opened(vhost) as letters:
            handled = letters.handle(letter.queue, [letter.key], send=True)
        assert handled.done == [letter.key]
        wait_until(lambda: runs(tmp_path)["deadly"] == 6)
    assert not look(vhost, queues)


def test_a_request_that_the_broker_gave_up_goes_to_its_method(vhost):
    client = DurableClient(vhost.amqp_uri)
    death = {"exchange": "nameko-rpc", "routing-keys": ["poison.work"], "reason": "delivery_limit"}
    body = '{"args": ["/tmp", 7], "kwargs": {}}'
    put(
        vhost, KEPT, body, headers={"x-death": [death]},
        reply_to=client.reply_to, correlation_id="7",
    )  # fmt: skip
    (letter,) = look(vhost, queues_of("poison"))
    assert letter.name == "poison.work"
    with opened(vhost) as letters:
        handled = letters.handle(KEPT, [letter.key], send=True)
        assert handled.unroutable == [letter.key]  # nobody has its queue: it stays
        with running(POISON, AMQP_URI=vhost.amqp_uri):
            assert letters.handle(KEPT, [letter.key], send=True).done == [letter.key]
            client.wait_for(["7"])
    assert not look(vhost, [KEPT])


def test_an_answer_goes_back_to_where_answers_arrive(vhost):
    identity = uuid.uuid4().hex
    put(vhost, reply_queue(identity))
    put(vhost, dead_queue(identity), "{}", correlation_id="somebody's")
    (letter,) = look(vhost, queues_of_all([], identity))
    assert (letter.kind, letter.correlation_id) == ("answer", "somebody's")
    with opened(vhost) as letters:
        assert letters.handle(letter.queue, [letter.key], send=True).done == [letter.key]
    assert vhost.messages(reply_queue(identity)) == 1
    assert vhost.messages(letter.queue) == 0


def test_looking_changes_nothing_however_often(vhost):
    """A quorum queue counts each look; RabbitMQ 4 would drop what was looked at 20 times."""
    queue = dead_queue_of("poison")
    put(vhost, queue.name, "1", "2", arguments=queue.queue_arguments)
    for _ in range(25):
        assert [letter.body for letter in look(vhost, queues_of("poison"))] == ["1", "2"]
    assert queue.queue_arguments["x-delivery-limit"] > 20


def test_equal_letters_are_dropped_one_by_one(vhost):
    put(vhost, KEPT, "same", "same", "other")
    (key, again, _other) = (letter.key for letter in look(vhost, [KEPT]))
    assert key == again
    with opened(vhost) as letters:
        assert letters.handle(KEPT, [key, "unknown"], send=False).done == [key]
    assert [letter.body for letter in look(vhost, [KEPT])] == ["same", "other"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-nameko-deliveries": "no table", "x-nameko-given-up": ["no", "text"]},
        {"x-nameko-deliveries": {"queue": 7}},
        {"x-death": ["no table"]},
        {"x-death": [{"exchange": 1, "routing-keys": "no list"}]},
        {"x-death": [{"exchange": "nameko-rpc", "routing-keys": ["x" * 300]}]},
        {"x-nameko-deliveries": {"queue": "x" * 300}},
    ],
)
def test_odd_headers_hold_up_no_other(vhost, headers):
    put(vhost, KEPT, "odd", headers=headers)
    put(vhost, KEPT, b"\xff\x00", "x" * LARGE)
    odd, no_text, large = look(vhost, [KEPT])
    assert odd.address is None
    assert no_text.body == ""
    assert (large.size, len(large.body)) == (LARGE, 10_000)
    with opened(vhost, max_message_bytes=LARGE - 1) as letters:
        keys = [letter.key for letter in letters.look([KEPT]).letters]
        handled = letters.handle(KEPT, keys, send=True)
        assert not handled.done
        assert len(handled.unroutable) + len(handled.too_large) == 3
        assert letters.handle(KEPT, keys, send=False).done == keys


def test_of_many_the_oldest_are_shown(vhost):
    put(vhost, KEPT, *map(str, range(MOST_LETTERS + 10)))
    with opened(vhost) as letters:
        found = letters.look([KEPT])
    assert [letter.body for letter in found.letters] == list(map(str, range(MOST_LETTERS)))
    assert found.with_more == [KEPT]


def test_a_letter_that_cannot_be_sent_stops_no_other(vhost):
    """Its exchange is not there, or its texts are longer than AMQP takes them."""
    client = DurableClient(vhost.amqp_uri)
    good = {"exchange": "nameko-rpc", "routing-keys": [client.reply_to]}
    gone = {"exchange": "nosuch", "routing-keys": ["x"]}
    for number, death in enumerate((good, gone, good, gone, good)):
        put(vhost, KEPT, str(number), headers={"x-death": [death]}, correlation_id="é" * 127)
    with opened(vhost) as letters:
        keys = [letter.key for letter in letters.look([KEPT]).letters]
        handled = letters.handle(KEPT, keys, send=True)
    assert (handled.done, handled.unroutable) == (keys[::2], keys[1::2])
    assert vhost.messages(client.queue.name) == 3


def test_a_queue_that_cannot_be_read_hides_no_other(vhost):
    put(vhost, KEPT, "shown")
    with Connection(vhost.amqp_uri) as connection, connection.channel() as channel:
        channel.queue_declare("nameko.dead-exclusive", exclusive=True)
        put(vhost, "nameko.dead-consumed", "x")
        channel.basic_consume("nameko.dead-consumed", exclusive=True)
        with opened(vhost) as letters:
            found = letters.look(queues_of_all(["exclusive", "consumed"], "nobody"))
            assert not letters.handle("nameko.dead-exclusive", ["x"], send=False).done
    assert [letter.body for letter in found.letters] == ["shown"]
    assert found.unreadable.keys() == {"nameko.dead-exclusive", "nameko.dead-consumed"}


def test_a_queue_that_is_not_there_has_none(vhost):
    assert look(vhost, queues_of_all(["never", "ran"], "nobody")) == []


def test_many_letters_of_a_quorum_queue_are_gone_when_it_says_so(vhost):
    queue = dead_queue_of("poison")
    put(vhost, queue.name, *map(str, range(MOST_LETTERS)), arguments=queue.queue_arguments)
    with opened(vhost) as letters:
        keys = [letter.key for letter in letters.look([queue.name]).letters]
        assert letters.handle(queue.name, keys, send=False).done == keys
    assert look(vhost, [queue.name]) == []
