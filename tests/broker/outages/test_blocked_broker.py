"""A broker that is short of memory takes no messages: the caller is told so, and free again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from broker import BrokerConfig, CallTimeout, Client
from broker.amqp.deadline import Deadline
from broker.rpc.proxy import LeanClusterRpcProxy

from tests.broker.probe import echo, no_longer_than
from tests.broker.rabbitmq import RabbitMQ


@contextmanager
def memory_alarm(rabbitmq: RabbitMQ) -> Iterator[None]:
    rabbitmq.control("set_vm_memory_high_watermark", "0.00001")
    try:
        yield
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "0.6")


def test_a_memory_alarm(start_service, rabbitmq, client: Client):
    start_service()
    client.call(echo(1))
    with (
        memory_alarm(rabbitmq),
        no_longer_than(3),
        pytest.raises(CallTimeout, match="takes no messages at present"),
    ):
        client.call(echo(2), timeout=2)
    assert client.call(echo(3), timeout=20) == 3


def test_what_is_half_done_stays_so_when_the_alarm_is_over(start_service, rabbitmq, vhost):
    start_service()
    proxy = LeanClusterRpcProxy(BrokerConfig(vhost.amqp_uri), timeout=20)
    with proxy as rpc:
        with memory_alarm(rabbitmq):
            reply = rpc.probe.echo.call_async(1)
            while not proxy.wire.blocked:
                proxy.wire.read_event(Deadline(20))
            proxy.wire.spoiled = True
        assert reply.result() == 1
        assert not proxy.wire.blocked
        assert not proxy.wire.clean
