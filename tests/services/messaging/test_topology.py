"""What somebody deletes on the broker comes back, and nobody stays deaf."""

import pytest
from kombu import Connection

from tests.processes import running
from tests.services.durable_client import DurableClient
from tests.services.messaging.test_poison import POISON
from tests.waiting import wait_until


def delete(amqp_uri: str, exchange: str = "", queue: str = "") -> None:
    with Connection(amqp_uri) as connection:
        if exchange:
            connection.default_channel.exchange_delete(exchange)
        if queue:
            connection.default_channel.queue_delete(queue)


@pytest.mark.slow
def test_a_service_hears_again_after_its_exchange_was_deleted(fresh_vhost, tmp_path):
    with running(POISON, AMQP_URI=fresh_vhost.amqp_uri) as process:
        delete(fresh_vhost.amqp_uri, exchange="nameko-rpc")
        client = DurableClient(fresh_vhost.amqp_uri)  # which declares it without the binding
        bindings = f"exchanges/{fresh_vhost.name}/nameko-rpc/bindings/source"

        def is_bound() -> bool:
            found = fresh_vhost.request("GET", bindings)
            return any(each["destination"] == "rpc-poison" for each in found)

        wait_until(is_bound)
        (reply,) = client.wait_for(client.request("poison.work", (str(tmp_path), 7)))
        assert reply["result"] == 7
        assert not process.logged("goes without")


@pytest.mark.slow
@pytest.mark.parametrize("queue", ["nameko.dead-poison", "nameko.suspects-poison"])
def test_side_queues_come_back(fresh_vhost, queue):
    with running(POISON, AMQP_URI=fresh_vhost.amqp_uri) as process:
        delete(fresh_vhost.amqp_uri, queue=queue)
        wait_until(lambda: fresh_vhost.has_queue(queue))
        assert process.is_alive()


@pytest.mark.slow
def test_cancelled_jobs_are_heard_of_again(fresh_vhost):
    with running("services.compute", AMQP_URI=fresh_vhost.amqp_uri):
        delete(fresh_vhost.amqp_uri, exchange="nameko_jobs.events")
        bindings = f"exchanges/{fresh_vhost.name}/nameko_jobs.events/bindings/source"
        exists = f"exchanges/{fresh_vhost.name}"

        def is_heard() -> bool:
            names = [each["name"] for each in fresh_vhost.request("GET", exists)]
            return "nameko_jobs.events" in names and bool(fresh_vhost.request("GET", bindings))

        wait_until(is_heard)
