"""The broker itself is stopped and started: what it had accepted is on its disk."""

import contextlib

import pytest
from kombu import Connection

from tests.processes import cluster, running
from tests.services.durable_client import DurableClient
from tests.services.mail.smtp_server import SmtpServer
from tests.services.messaging.test_poison import POISON, respawning
from tests.vhosts import new_vhost
from tests.waiting import wait_until


@pytest.fixture
def server():
    server = SmtpServer()
    yield server
    server.stop()


def can_call(amqp_uri):
    """Tell whether the broker lets a client in and `mail` is there."""
    with contextlib.suppress(Exception), cluster(amqp_uri, timeout=5) as rpc:
        return rpc.mail.dead_letters() is not None
    return False


def test_mails_and_requests_outlive_a_restart_of_the_broker(faults, stack, server, tmp_path):
    with new_vhost() as vhost:
        environment = {
            "AMQP_URI": vhost.amqp_uri,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.port),
            "IDEMPOTENCY_URL": f"sqlite:///{tmp_path}/store",
            "MAIL_RETRY_DELAYS": str([1, 2] + [3] * 30),
        }
        with running("services.mail", **environment), running("services.compute", **environment):
            with cluster(vhost.amqp_uri) as rpc:
                for number in range(20):
                    rpc.mail.send("name@example.com", "subject", str(number))
            client = DurableClient(vhost.amqp_uri)
            ids = client.request("compute.prime_count", (10**9,))
            faults.stop("rabbitmq")
            server.start()
            stack.wait_until_whole()
            wait_until(lambda: can_call(vhost.amqp_uri))
            wait_until(lambda: len(server.count()) == 20)
            with running("services.compute", **environment):
                (reply,) = client.wait_for(ids)
    assert reply["result"] == 50847534
    assert set(server.count().values()) == {1}


def test_a_deadly_request_is_given_up_where_the_broker_marks_no_redelivery(faults, stack, tmp_path):
    """RabbitMQ does so after a restart with messages in the queue that were not persistent."""
    folder = str(tmp_path)
    with new_vhost() as vhost:
        with running(POISON, AMQP_URI=vhost.amqp_uri):
            client = DurableClient(vhost.amqp_uri)
        with Connection(vhost.amqp_uri) as connection:
            for _ in range(3):
                producer = connection.Producer()
                producer.publish("lost", routing_key="rpc-poison", delivery_mode=1)
        faults.restart("rabbitmq")
        stack.wait_until_whole()
        (deadly,) = client.request("poison.die", (folder,))
        ids = client.request("poison.work", *[(folder, number) for number in range(20)])
        with respawning(1, POISON, AMQP_URI=vhost.amqp_uri):
            (reply,) = client.wait_for([deadly], 120)
            assert [each["result"] for each in client.wait_for(ids)] == list(range(20))
    assert reply["error"]["exc_type"] == "RequestGivenUp"
