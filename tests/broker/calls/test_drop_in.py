"""`LeanClusterRpcProxy` is used as Nameko's `ClusterRpcProxy` is."""

import pytest
from broker import BrokerConfig, RemoteError
from broker.rpc.proxy import LeanClusterRpcProxy
from nameko.standalone.rpc import ClusterRpcProxy

from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


@pytest.fixture
def config(vhost) -> BrokerConfig:
    return BrokerConfig(vhost.amqp_uri)


def test_as_a_context_manager(config: BrokerConfig, vhost):
    proxy = LeanClusterRpcProxy(config, {"language": "es_ES"}, timeout=5)
    assert isinstance(proxy, ClusterRpcProxy)
    with proxy as rpc:
        assert rpc.probe.echo(1, other=2) == 1
        assert rpc["probe"].echo(3) == 3
        assert rpc.probe.worker_context()["language"] == "es_ES"
    wait_until(lambda: len(vhost.reply_queues()) == 1, what="the end of our reply queue")


def test_started_and_stopped_by_hand(config: BrokerConfig):
    proxy = LeanClusterRpcProxy(config)
    rpc = proxy.start()
    with pytest.raises(RemoteError):
        rpc.probe.fail("x")
    assert rpc.probe.echo(1) == 1
    proxy.stop()


def test_replies_are_asked_for_in_any_order(config: BrokerConfig):
    with LeanClusterRpcProxy(config) as rpc:
        replies = [rpc.probe.sleep.call_async((5 - number) / 50, number) for number in range(5)]
        assert [reply.result() for reply in reversed(replies)] == [4, 3, 2, 1, 0]
