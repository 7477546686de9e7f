"""What a client opens at the broker is bounded, and gone when it is closed."""

import gc

import psutil
import pytest
from broker import CallTimeout, Client, Request, UnknownService

from tests.broker.probe import echo, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


def test_calls_share_one_connection_one_channel_and_one_queue(client: Client, vhost):
    for number in range(100):
        client.call(echo(number))
    client.call_many([echo(number) for number in range(100)])
    wait_until(lambda: len(vhost.client_connections()) == 1)
    wait_until(lambda: vhost.client_channels() == 1)
    assert len(vhost.reply_queues()) == 2  # ours, and that of the service


def test_nothing_is_left_after_closing(make_client, vhost):
    for _ in range(20):
        client = make_client()
        client.call(echo(1))
        client.close()
    wait_until(lambda: not vhost.client_connections())
    wait_until(lambda: len(vhost.reply_queues()) == 1)


def test_a_closed_client_opens_anew(client: Client):
    client.call(echo(1))
    client.close()
    assert client.call(echo(2)) == 2


def test_failed_calls_leave_no_socket_open(make_client, vhost):
    client = make_client()
    process = psutil.Process()
    client.call(echo(1))
    before = process.num_fds()
    for _ in range(10):
        with pytest.raises(CallTimeout):
            client.call(probe("sleep", 0.2), timeout=0.1)
        with pytest.raises(UnknownService):
            client.call(Request("nobody", "echo"))
    gc.collect()
    assert process.num_fds() <= before
