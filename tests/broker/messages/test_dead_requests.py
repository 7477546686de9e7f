"""Requests to services in Nameko's own container that the broker gives up: the relay answers."""

import json
import os
import uuid
from urllib.parse import quote

import pytest
from broker import BrokerConfig
from broker.jobs.dead_requests import DEAD_EXCHANGE, KEPT, UNANSWERED, DeadRequests
from kombu import Connection, Exchange, Queue

from tests.services.durable_client import DurableClient
from tests.vhosts import new_vhost
from tests.waiting import wait_until

LIMIT = 2


@pytest.fixture
def vhost():
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture
def dead_requests(vhost):
    dead_requests = DeadRequests(BrokerConfig(vhost.amqp_uri))
    dead_requests.turn()  # which declares the exchange
    yield dead_requests
    dead_requests.close()


def rpc_queue(service, **arguments):
    exchange = Exchange("nameko-rpc", "topic", durable=True)
    options = {"x-queue-type": "quorum", **arguments}
    key = f"{service}.*"
    return Queue(f"rpc-{service}", exchange, key, durable=True, queue_arguments=options)


def set_policy(vhost_request, vhost_name, pattern):
    """Set the policy of docs/services.md."""
    definition = {"delivery-limit": LIMIT, "dead-letter-exchange": DEAD_EXCHANGE}
    path = f"policies/{quote(vhost_name, safe='')}/deadly-{uuid.uuid4().hex}"
    policy = {"pattern": pattern, "definition": definition, "apply-to": "queues"}
    vhost_request("PUT", path, **policy)
    return path


def die_of_it(amqp_uri, queue):
    """Take the request and end the connection, as a process that dies of it does, to the end."""

    def taken():
        with Connection(amqp_uri) as connection:
            return queue(connection.default_channel).get() is not None

    wait_until(taken)
    for _ in range(LIMIT):
        wait_until(taken)


def messages(amqp_uri, name):
    with Connection(amqp_uri) as connection:
        queue = Queue(name, channel=connection.default_channel)
        found = []
        while message := queue.get():
            found.append(message)
        return found


def test_a_request_that_died_of_the_limit_is_answered_and_kept(vhost, dead_requests):
    queue = rpc_queue("deadly")
    with Connection(vhost.amqp_uri) as connection:
        queue(connection.default_channel).declare()
    set_policy(vhost.request, vhost.name, "^rpc-")
    client = DurableClient(vhost.amqp_uri)
    (request,) = client.request("deadly.work", ("x",))
    die_of_it(vhost.amqp_uri, queue)
    wait_until(lambda: dead_requests.turn() or client.take())
    error = client.replies[request][0]["error"]
    assert error["exc_type"] == "RequestGivenUp"
    assert f"deadly.work {request}" in error["value"]
    (kept,) = messages(vhost.amqp_uri, KEPT)
    assert kept.properties["correlation_id"] == request
    assert json.loads(kept.body)["args"] == ["x"]
    assert not messages(vhost.amqp_uri, UNANSWERED)


def test_a_request_that_expired_is_neither_answered_nor_kept(vhost, dead_requests):
    queue = rpc_queue("late", **{"x-message-ttl": 1})
    with Connection(vhost.amqp_uri) as connection:
        queue(connection.default_channel).declare()
    set_policy(vhost.request, vhost.name, "^rpc-")
    client = DurableClient(vhost.amqp_uri)
    client.request("late.work", ("x",))

    def is_gone():
        with Connection(vhost.amqp_uri) as connection:
            return not queue(connection.default_channel).queue_declare(passive=True).message_count

    wait_until(is_gone)
    dead_requests.turn()
    assert not client.take()
    assert not messages(vhost.amqp_uri, KEPT)


@pytest.mark.parametrize("properties", [{}, {"reply_to": "x" * 255}, {"reply_to": "nobody"}])
def test_a_dead_request_that_cannot_be_answered_holds_up_no_other(vhost, dead_requests, properties):
    client = DurableClient(vhost.amqp_uri)
    died = {"x-first-death-reason": "delivery_limit"}
    with Connection(vhost.amqp_uri) as connection:
        publish = connection.Producer().publish
        where = {"exchange": Exchange(DEAD_EXCHANGE, "headers"), "routing_key": "deadly.work"}
        publish("x", headers=died, **where, **properties)
        publish("x", headers=died, **where, reply_to=client.reply_to, correlation_id="last")
    wait_until(lambda: dead_requests.turn() or "last" in client.take())
    assert not messages(vhost.amqp_uri, UNANSWERED)


def test_a_dead_request_takes_one_line_of_the_log(vhost, dead_requests, caplog):
    client = DurableClient(vhost.amqp_uri)
    with Connection(vhost.amqp_uri) as connection:
        connection.Producer().publish(
            "x",
            headers={"x-first-death-reason": "delivery_limit"},
            exchange=Exchange(DEAD_EXCHANGE, "headers"),
            routing_key="deadly.work",
            reply_to=client.reply_to,
            correlation_id="id\n2026-11-29 CRITICAL all is lost\0",
        )
    wait_until(lambda: dead_requests.turn() or client.take())
    (line,) = [message for message in caplog.messages if "deadly.work" in message]
    assert line.isprintable()


def test_the_running_relay_answers(stack):
    """The same through the relay of the stack, for a service of this test's own."""
    service = f"deadly{uuid.uuid4().hex[:8]}"
    queue = rpc_queue(service)
    with new_vhost() as any_vhost:
        request = any_vhost.request
        path = set_policy(request, "/", f"^rpc-{service}$")
        try:
            client = DurableClient(os.environ["AMQP_URI"])
            with Connection(os.environ["AMQP_URI"]) as connection:
                queue(connection.default_channel).declare()
                (asked,) = client.request(f"{service}.work", ("x",))
                die_of_it(os.environ["AMQP_URI"], queue)
                (reply,) = client.wait_for([asked])
                queue(connection.default_channel).delete()
        finally:
            request("DELETE", path)
    assert reply["error"]["exc_type"] == "RequestGivenUp"
