"""A kept connection that died costs a reconnect; if it dies under a request, that is said."""

import threading

import pytest
from broker import Client, UncertainOutcome
from broker.amqp.deadline import Deadline
from broker.rpc.wire import Wire

from tests.broker.probe import echo, no_longer_than, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


def test_the_broker_closed_it_while_idle(client: Client, vhost):
    client.call(echo(1))
    assert vhost.close_client_connections() == 1
    assert client.call(echo(2)) == 2


@pytest.mark.slow
def test_all_connections_of_the_pool_are_dead(client: Client, vhost):
    threads = [threading.Thread(target=client.call, args=(probe("sleep", 0.5),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(vhost.client_connections()) == 5)
    vhost.close_client_connections()
    with no_longer_than(2):
        assert [client.call(echo(number)) for number in range(5)] == list(range(5))


def test_it_went_silently_dead_while_idle(make_client, forwarder, vhost):
    client = make_client(vhost.uri(forwarder.port))
    client.call(echo(1))
    wire = client._pool._idle[0].wire
    forwarder.forget_connections()
    wire.used_at -= 2  # idle for two seconds
    with no_longer_than(3):
        assert client.call(echo(2), timeout=4) == 2
    assert client._pool._idle[0].wire is not wire


def test_it_was_idle_for_too_long(make_client):
    client = make_client(idle_seconds=10)
    client.call(echo(1))
    wire = client._pool._idle[0].wire
    wire.used_at -= 11
    assert client.call(echo(2)) == 2
    assert client._pool._idle[0].wire is not wire


def test_it_is_lost_while_a_request_is_on_its_way(client: Client, vhost):
    errors = []

    def call() -> None:
        with pytest.raises(UncertainOutcome, match="not known whether it was executed") as caught:
            client.call(probe("sleep", 30), timeout=60)
        errors.append(caught.value)

    thread = threading.Thread(target=call)
    thread.start()
    vhost.close_client_connections()
    with no_longer_than(2):
        thread.join(10)
    assert errors[0].may_have_run
    assert client.call(echo(1)) == 1


def test_it_is_lost_after_the_reply_came(client: Client, monkeypatch):
    """Found by the soak: the reply was dropped, and the dead connection went back into the pool."""
    look = Wire.look

    def look_as_the_connection_breaks(wire: Wire, service: str, deadline: Deadline) -> object:
        while not wire.clean:
            wire.read_event(deadline)
        wire.discard()
        return look(wire, service, deadline)

    monkeypatch.setattr(Wire, "look", look_as_the_connection_breaks)
    assert client.call(probe("sleep", 0.2, "the reply")) == "the reply"
    assert not client._pool._idle
    assert client.call(echo(1)) == 1
