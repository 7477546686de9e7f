"""No connection to be had: why, how fast, and without secrets."""

import socket
import threading
import time

import pytest
from broker import AccessRefused, BrokerUnreachable

from tests.broker.probe import echo, no_longer_than


def test_connections_are_refused(make_client):
    client = make_client("amqp://guest:secret@127.0.0.1:1/")
    with no_longer_than(1), pytest.raises(BrokerUnreachable, match="nothing listens") as caught:
        client.call(echo(1))
    assert "amqp://guest@127.0.0.1:1/" in str(caught.value)
    assert "secret" not in str(caught.value) + repr(client.config)


def test_an_unknown_host(make_client):
    client = make_client("amqp://guest:guest@no-such-host.invalid/")
    with pytest.raises(BrokerUnreachable, match="host name is unknown"):
        client.call(echo(1))


def test_a_wrong_password(make_client, vhost):
    client = make_client(vhost.uri(login="guest:wrong"))
    with pytest.raises(AccessRefused, match="refuses access: ACCESS_REFUSED") as caught:
        client.call(echo(1))
    assert "wrong" not in str(caught.value)


def test_a_virtual_host_that_is_not_there(make_client, rabbitmq):
    client = make_client(f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/nowhere")
    with pytest.raises(AccessRefused, match="vhost nowhere not found"):
        client.call(echo(1))


def test_a_user_without_rights(make_client, rabbitmq, vhost):
    rabbitmq.request("PUT", "users/nobody", password="pw", tags="")
    rights = {"configure": "", "write": "", "read": ""}
    rabbitmq.request("PUT", f"permissions/{vhost.name}/nobody", **rights)
    client = make_client(vhost.uri(login="nobody:pw"))
    with pytest.raises(AccessRefused, match="access to exchange 'nameko-rpc'"):
        client.call(echo(1))


def test_something_else_than_rabbitmq_listens(make_client):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        client = make_client(f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}/")

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BrokerUnreachable, match="cannot be reached"):
            client.call(echo(1), timeout=1)
        thread.join()


def test_while_it_does_not_answer_the_hundredth_click_waits_less_than_the_first(
    make_client, forwarder, vhost, kept_service
):
    client = make_client(vhost.uri(forwarder.port), connect_timeout=2)
    client.call(echo(1))
    client.close()
    forwarder.freeze()
    waits = []
    for _ in range(4):
        start = time.monotonic()
        with pytest.raises(BrokerUnreachable, match="does not answer"):
            client.call(echo(1))
        waits.append(time.monotonic() - start)
    assert waits[0] >= 2
    assert max(waits[1:]) < 1
    forwarder.thaw()
    assert (
        client.call(echo(2)) == 2
    )  # at once: no breaker keeps the click away from a broker that is back


def test_a_name_server_that_does_not_answer(make_client, monkeypatch):
    """The one thing that is acted here: a resolver cannot be made to hang without root's files."""
    hung = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [hung.wait(30)])
    client = make_client("amqp://guest:guest@broker.example.com/")
    with no_longer_than(2), pytest.raises(BrokerUnreachable, match="does not answer"):
        client.call(echo(1), timeout=1)
    hung.set()
