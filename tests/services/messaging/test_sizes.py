"""Results and other messages that are too large: an error for the one that asked for them."""

import signal

import pytest
from nameko.exceptions import RemoteError

from services.exceptions import (
    MessageTooLarge,
    PublicationRefused,
    RequestTooLarge,
    ResultTooLarge,
)
from services.messaging.publishing import SizeLimit
from services.messaging.reading import MOST_VALUES
from services.messaging.room import BYTES_PER_VALUE, MOST_WEIGHT
from tests.broker_limit import largest_message
from tests.processes import cluster, running
from tests.services.durable_client import DurableClient
from tests.waiting import wait_until

SLOW = "tests.services.slow_service"
LARGE = MOST_WEIGHT // BYTES_PER_VALUE // 2 - 10_000  # values: two such lists have no room
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


def test_large_lists_wait_for_each_other_and_nothing_waits_for_them(fresh_vhost, tmp_path):
    """Two of them take more than there is room for."""
    values = [[]] * LARGE
    with running(SLOW, AMQP_URI=fresh_vhost.amqp_uri):
        client = DurableClient(fresh_vhost.amqp_uri)
        large = client.request("slow.work", *[(str(tmp_path), values)] * 2)
        small = client.request("slow.repeat", ("x", 1))
        assert client.wait_for(small)[0]["result"] == "x"
        runs = tmp_path / "runs"
        assert len(runs.read_text().splitlines()) == 1
        (tmp_path / "go").touch()
        assert [reply["result"] for reply in client.wait_for(large)] == ["done"] * 2
        assert len(runs.read_text().splitlines()) == 2


def test_a_large_list_that_waits_when_a_stop_begins_runs_later(fresh_vhost, tmp_path):
    values = [[]] * LARGE
    client = DurableClient(fresh_vhost.amqp_uri)
    with running(SLOW, AMQP_URI=fresh_vhost.amqp_uri) as process:
        large = client.request("slow.work", *[(str(tmp_path), values)] * 2)
        small = client.request("slow.repeat", ("x", 1))
        client.wait_for(small)
        process.signal(signal.SIGTERM)
        wait_until(lambda: fresh_vhost.consumers("rpc-slow") == 0)
        (tmp_path / "go").touch()
        assert process.wait() == 0
    assert len((tmp_path / "runs").read_text().splitlines()) == 1
    with running(SLOW, AMQP_URI=fresh_vhost.amqp_uri) as process:
        assert [reply["result"] for reply in client.wait_for(large)] == ["done"] * 2
        assert not process.logged("was delivered before")
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_more_values_than_may_be_read_are_an_error_and_a_text_of_commas_is_none(fresh_vhost):
    with running(SLOW, AMQP_URI=fresh_vhost.amqp_uri), cluster(fresh_vhost.amqp_uri) as rpc:
        with pytest.raises(RequestTooLarge, match="more than 1,000,000 values"):
            rpc.slow.repeat([0] * (MOST_VALUES + 2), 1)
        for text in ("," * 3_000_000, '",[' * 2_000_000, '\\"[' * 1_500_000):
            assert rpc.slow.repeat(text, 1) == text


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
