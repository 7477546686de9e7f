"""A broker that is short of memory takes no messages: the caller is told so, and free again."""

import pytest
from broker import CallTimeout, Client

from tests.broker.probe import echo, no_longer_than


def test_a_memory_alarm(start_service, rabbitmq, client: Client):
    start_service()
    client.call(echo(1))
    rabbitmq.control("set_vm_memory_high_watermark", "0.00001")
    try:
        with no_longer_than(3), pytest.raises(CallTimeout, match="takes no messages at present"):
            client.call(echo(2), timeout=2)
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "0.6")
    assert client.call(echo(3), timeout=20) == 3
