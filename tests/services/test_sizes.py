"""Results and other messages that are too large: an error for the one that asked for them."""

import pytest
from nameko.exceptions import RemoteError

from services.exceptions import MessageTooLarge, PublicationRefused, ResultTooLarge
from services.messaging.publishing import SizeLimit
from tests.broker_limit import largest_message
from tests.processes import cluster, running
from tests.services.durable_client import DurableClient
from tests.waiting import wait_until

SLOW = "tests.services.slow_service"
FORWARDING = "tests.services.forwarding_service"


def in_hand(client, folder):
    """Have a request in hand that ends when it is told to; return its id."""
    ids = client.request("slow.work", (str(folder),))
    wait_until((folder / "runs").exists)
    return ids


def assert_ran_once(client, ids, folder):
    (folder / "go").touch()
    assert client.wait_for(ids)[0]["result"] == "done"
    assert len((folder / "runs").read_text().splitlines()) == 1


def test_a_result_beyond_the_limit_is_an_error_that_says_what_to_do(fresh_vhost, tmp_path):
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "NAMEKO_MAX_MESSAGE_BYTES": "1000000"}
    with running(SLOW, **environment) as process, cluster(fresh_vhost.amqp_uri) as rpc:
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = in_hand(client, tmp_path)
        assert len(rpc.slow.repeat("x", 999_000)) == 999_000
        for size in (1_000_000, 20_000_000):
            with pytest.raises(ResultTooLarge) as raised:
                rpc.slow.repeat("x", size)
            for part in (f"{size + 29} bytes", "the 1000000", "Send less", "slow.repeat"):
                assert part in str(raised.value)
        assert_ran_once(client, ids, tmp_path)
        assert not process.logged("Connection to broker lost")


def test_a_result_beyond_the_brokers_own_limit_harms_no_other_request(
    faults, fresh_vhost, tmp_path
):
    """The broker closes the channel: small replies that were on it arrive all the same, once."""
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "MAX_WORKERS": "100"}
    with largest_message(100_000), running(SLOW, **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = in_hand(client, tmp_path)
        sizes = [200_000 if number % 10 == 5 else number for number in range(60)]
        asked = client.request("slow.repeat", *[("x", size) for size in sizes])
        for size, reply in zip(sizes, client.wait_for(asked), strict=True):
            if size < 100_000:
                assert reply["result"] == "x" * size
            else:
                assert reply["error"]["exc_type"] == "ResultTooLarge"
                assert "the 100000 that may be sent" in reply["error"]["value"]
        assert_ran_once(client, ids, tmp_path)
        assert not process.logged("Connection to broker lost")
        assert not process.logged("the broker keeps the request")


def test_an_event_beyond_the_brokers_limit_is_an_error_of_its_worker_alone(
    faults, fresh_vhost, tmp_path
):
    with (
        largest_message(100_000),
        running(SLOW, AMQP_URI=fresh_vhost.amqp_uri) as process,
        cluster(fresh_vhost.amqp_uri) as rpc,
    ):
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = in_hand(client, tmp_path)
        for _ in range(3):
            with pytest.raises(RemoteError, match="size"):
                rpc.slow.tell(200_000)
            assert rpc.slow.tell(10) == 10
        assert_ran_once(client, ids, tmp_path)
        assert not process.logged("Connection to broker lost")


def test_a_call_beyond_the_limit_is_an_error_of_its_worker_alone(fresh_vhost):
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "NAMEKO_MAX_MESSAGE_BYTES": "1000000"}
    with running(FORWARDING, **environment), cluster(fresh_vhost.amqp_uri) as rpc:
        with pytest.raises(MessageTooLarge, match="by reference"):
            rpc.forwarding.forward(2_000_000)
        assert rpc.forwarding.forward(10) == 10


@pytest.mark.parametrize(
    "refusal",
    [
        "406 PRECONDITION_FAILED - message size 200 is larger than configured max size 100",
        "406 PRECONDITION_FAILED - message size 200 is larger than max size '100'",
    ],
)
def test_the_brokers_limit_is_learned_from_what_it_says(refusal):
    limit = SizeLimit(1000)
    with pytest.raises(MessageTooLarge, match="200 bytes is larger than the 100"):
        limit.learn(200, refusal)
    assert limit.bytes == 100


def test_another_refusal_is_passed_on():
    limit = SizeLimit(1000)
    with pytest.raises(PublicationRefused, match="ACCESS_REFUSED"):
        limit.learn(200, "403 ACCESS_REFUSED - no")
    assert limit.bytes == 1000
