"""The timeout is a deadline, whatever else arrives, and whatever is stuck."""

import socket
import threading

import pytest
from broker import BrokerConfig, BrokerUnreachable, CallTimeout, Client
from broker.rpc.proxy import LeanClusterRpcProxy

from tests.broker.probe import echo, no_longer_than, probe
from tests.tcp_proxy import TricklingProxy


def test_other_replies_do_not_put_it_off(kept_service, vhost):
    with LeanClusterRpcProxy(BrokerConfig(vhost.amqp_uri), timeout=1) as rpc:
        slow = rpc.probe.sleep.call_async(3)
        for wait in range(1, 30):
            rpc.probe.sleep.call_async(wait / 10)
        with no_longer_than(2), pytest.raises(CallTimeout):
            slow.result()


def test_a_broker_frozen_before_the_call(kept_service, rabbitmq, client: Client):
    client.call(echo(1))
    rabbitmq.freeze()
    try:
        with no_longer_than(3), pytest.raises((CallTimeout, BrokerUnreachable)):
            client.call(echo(1), timeout=2)
    finally:
        rabbitmq.thaw()
    assert client.call(echo(2), timeout=10) == 2


def test_a_broker_frozen_during_the_call(kept_service, rabbitmq, client: Client):
    client.call(echo(1))
    freeze = threading.Timer(0.5, rabbitmq.freeze)
    freeze.start()
    try:
        with (
            no_longer_than(4),
            pytest.raises(CallTimeout, match="broker does not respond") as caught,
        ):
            client.call(probe("sleep", 30), timeout=2)
        assert caught.value.may_have_run
    finally:
        freeze.join()
        rabbitmq.thaw()


def test_a_broker_that_takes_connections_and_says_nothing(make_client):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make_client(f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/")
        with no_longer_than(2), pytest.raises(BrokerUnreachable, match="does not answer"):
            client.call(echo(1), timeout=1)


def test_a_broker_that_trickles(make_client):
    """Each byte resets a socket's timeout; the deadline does not move."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        trickle = threading.Thread(target=_trickle, args=(server,))
        trickle.start()
        client = make_client(f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}/")
        with no_longer_than(2), pytest.raises(BrokerUnreachable, match="does not answer"):
            client.call(echo(1), timeout=1)
        trickle.join()


def _trickle(server: socket.socket) -> None:
    connection, _ = server.accept()
    frame = b"\x01\x00\x00\x00\x00\xff\xff" + bytes(1000)
    connection.settimeout(0.1)
    with connection:
        for byte in frame:
            try:
                connection.sendall(bytes([byte]))
                if connection.recv(100) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return


@pytest.mark.parametrize("many", [False, True])
def test_a_reply_that_trickles(kept_service, rabbitmq, vhost, make_client, many: bool):
    """Each piece of a frame, and each frame of a reply, is progress; the deadline does not move."""
    way = TricklingProxy(rabbitmq.port)
    client = make_client(vhost.uri(way.port))
    client.call(echo(1))
    way.slow.set()
    request = echo("x" * 1_000_000)
    with no_longer_than(4):
        if many:
            (error,) = [outcome.error for outcome in client.call_many([request], timeout=1)]
        else:
            with pytest.raises(CallTimeout) as caught:
                client.call(request, timeout=1)
            error = caught.value
    assert isinstance(error, CallTimeout)
    client.close()
    way.cut()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused(client: Client, timeout: float):
    with pytest.raises(ValueError, match="timeout is"):
        client.call(echo(1), timeout=timeout)
