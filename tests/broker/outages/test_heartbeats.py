"""A connection that waits long stays; one that nobody uses goes away by itself."""

import pytest
from broker import Client

from tests.broker.probe import echo, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


@pytest.mark.slow
def test_a_long_wait_outlives_the_brokers_patience(client: Client, monkeypatch):
    monkeypatch.setattr("broker.rpc.wire.HEARTBEAT", 1.0)
    assert client.call(probe("sleep", 5, "done"), timeout=20) == "done"


@pytest.mark.slow
def test_the_broker_ends_what_a_process_has_forgotten(client: Client, vhost, monkeypatch):
    monkeypatch.setattr(
        "broker.rpc.wire.HEARTBEAT", 5.0
    )  # the broker lists a connection within 5 s
    client.call(echo(1))
    wait_until(vhost.client_connections)
    wait_until(lambda: not vhost.client_connections())
    assert client.call(echo(2)) == 2
