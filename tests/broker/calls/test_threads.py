"""One client for all threads of a process: every answer is the asker's, connections are bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from broker import Client, PoolExhausted, client_for
from broker.amqp.config import BrokerConfig

from tests.broker.probe import echo, no_longer_than, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


def test_every_thread_gets_its_own_answers(client: Client):
    def call_100_times(thread: int) -> list[object]:
        return [client.call(echo([thread, number])) for number in range(100)]

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(call_100_times, range(16)))
    assert results == [[[thread, number] for number in range(100)] for thread in range(16)]


def test_connections_are_bounded_and_kept(make_client, vhost):
    client = make_client(pool_size=3)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: client.call(probe("sleep", 0.02)), range(60)))
    wait_until(lambda: len(vhost.client_connections()) == 3)


def test_when_all_connections_are_in_use_the_wait_is_bounded_too(make_client):
    client = make_client(pool_size=1)
    client.call(echo(1))
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(client.call, probe("sleep", 2))
        wait_until(lambda: client._pool._places._value == 0)
        with no_longer_than(1.5), pytest.raises(PoolExhausted, match="All 1 connections") as caught:
            client.call(echo(1), timeout=0.5)
        assert not caught.value.may_have_run
        busy.result()
    assert client.call(echo(1)) == 1


def test_one_client_per_configuration(vhost):
    config = BrokerConfig(vhost.amqp_uri)
    found: list[Client] = []
    threads = [threading.Thread(target=lambda: found.append(client_for(config))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {client_for(BrokerConfig(vhost.amqp_uri))}
    assert client_for(BrokerConfig(vhost.amqp_uri, timeout=7)) is not found[0]
