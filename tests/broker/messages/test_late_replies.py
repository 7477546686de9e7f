"""A reply that comes after its timeout answers nobody, and nothing of it stays."""

import pytest
from broker import CallTimeout, Client

from tests.broker.probe import echo, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


def test_a_late_reply_never_answers_another_call(client: Client):
    for number in range(5):
        with pytest.raises(CallTimeout):
            client.call(probe("sleep", 0.3, f"late {number}"), timeout=0.2)
        assert client.call(echo(number)) == number
        assert client.call(probe("sleep", 0.3, number)) == number


def test_timeouts_leave_neither_channels_nor_queues_behind(client: Client, vhost):
    for _ in range(3):
        with pytest.raises(CallTimeout):
            client.call(probe("sleep", 0.5), timeout=0.2)
    client.call(echo(1))
    wait_until(lambda: len(vhost.client_connections()) == 1, what="one connection")
    wait_until(lambda: vhost.client_channels() == 1, what="one channel")
    wait_until(lambda: len(vhost.reply_queues()) == 2, what="our queue and that of the service")
