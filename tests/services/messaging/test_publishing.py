"""Replies of an unmodified Nameko service in our container: all of them, whatever their size."""

import contextlib
import json

import pytest
from kombu import Connection, Exchange, Queue

from services.messaging.publishing import check_headers
from tests.broker_alarm import disk_alarm
from tests.processes import running
from tests.services.durable_client import DurableClient
from tests.waiting import wait_until

PLAIN = "tests.services.plain_service"


@pytest.fixture
def plain(fresh_vhost):
    options = {"MAX_WORKERS": "100", "HEARTBEAT_INTERVAL": "0"}  # beats have another connection
    with running(PLAIN, AMQP_URI=fresh_vhost.amqp_uri, **options) as process:
        yield process


def connections(vhost):
    """Return the states of the connections, as the broker shows them some seconds later."""
    found = vhost.request("GET", f"vhosts/{vhost.name}/connections")
    return [connection.get("state") for connection in found]


def is_blocked(vhost):
    return "blocked" in connections(vhost)


def test_replies_go_over_the_connection_of_the_requests(fresh_vhost, plain):
    client = DurableClient(fresh_vhost.amqp_uri)
    ids = client.request("plain.echo", *[(number,) for number in range(2000)])
    assert [reply["result"] for reply in client.wait_for(ids)] == list(range(2000))
    assert {len(replies) for replies in client.replies.values()} == {1}
    wait_until(lambda: connections(fresh_vhost) == ["running"])


def test_large_replies_arrive_whole_and_among_small_ones(fresh_vhost, plain):
    calls = [("ab", 2_000_000 if number % 5 == 0 else number) for number in range(100)]
    client = DurableClient(fresh_vhost.amqp_uri)
    ids = client.request("plain.repeat", *calls)
    replies = client.wait_for(ids)
    assert [reply["result"] for reply in replies] == [text * times for text, times in calls]
    assert plain.is_alive()


def test_a_reply_that_the_broker_refuses_is_given_later(fresh_vhost, plain):
    """A queue of replies that is full: each request waits until there is room for its reply."""
    exchange = Exchange("nameko-rpc", "topic", durable=True)
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with Connection(fresh_vhost.amqp_uri) as connection:
        queue = Queue("full", exchange, "full", queue_arguments=full, channel=connection)
        queue.declare()
        producer = connection.Producer()
        for number in range(5):
            body = {"args": [number], "kwargs": {}}
            options = {"exchange": exchange, "routing_key": "plain.echo", "reply_to": "full"}
            producer.publish(body, serializer="json", correlation_id=str(number), **options)
        plain.wait_for_log("the broker keeps the request plain.echo")
        results = set()
        while len(results) < 5:
            message = wait_until(lambda: queue.get(no_ack=True))
            results.add(json.loads(message.body)["result"])
    assert results == set(range(5))


@pytest.fixture
def asked(fresh_vhost):
    """A client whose 500 requests wait for an instance of the service, and their ids."""
    with running(PLAIN, AMQP_URI=fresh_vhost.amqp_uri):
        client = DurableClient(fresh_vhost.amqp_uri)
    return client, client.request("plain.echo", *[(number,) for number in range(500)])


def test_replies_wait_while_the_broker_takes_none(faults, fresh_vhost, asked):
    client, ids = asked
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "MAX_WORKERS": "100"}
    with disk_alarm(), running(PLAIN, **environment) as plain:
        wait_until(lambda: is_blocked(fresh_vhost))
        assert plain.is_alive()
    with running(PLAIN, **environment):
        assert [reply["result"] for reply in client.wait_for(ids)] == list(range(500))


def test_replies_held_back_go_out_when_the_broker_takes_them(faults, fresh_vhost, asked):
    client, ids = asked
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "MAX_WORKERS": "100"}
    with contextlib.ExitStack() as stack:
        with disk_alarm():
            plain = stack.enter_context(running(PLAIN, **environment))
            wait_until(lambda: is_blocked(fresh_vhost))
        assert [reply["result"] for reply in client.wait_for(ids)] == list(range(500))
        assert plain.is_alive()
        assert {len(replies) for replies in client.replies.values()} == {1}


def test_headers_nested_too_deep_are_refused_in_one_line():
    nested = []
    for _ in range(5_000):
        nested = [nested]
    with pytest.raises(ValueError, match="nested too deep"):
        check_headers({"nameko.deep": nested})
