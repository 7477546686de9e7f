"""What a service answers instead of a result is a class of ours, and the connection stays."""

import pytest
from broker import Client, RemoteError, Request, UnknownMethod, UnknownService, WrongArguments

from tests.broker.probe import echo, probe
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


def test_an_exception_keeps_its_type_and_message(client: Client):
    with pytest.raises(RemoteError, match=r"probe.fail failed: ValueError: too cold") as caught:
        client.call(probe("fail", "too cold"))
    error = caught.value
    assert (error.exc_type, error.exc_path) == ("ValueError", "builtins.ValueError")
    assert (error.remote_message, error.exc_args) == ("too cold", ("too cold",))
    assert (error.service, error.method, error.may_have_run) == ("probe", "fail", True)


def test_a_result_that_cannot_be_sent_back(client: Client):
    with pytest.raises(RemoteError, match="UnserializableValueError"):
        client.call(probe("unanswerable"))


def test_an_unknown_service(client: Client):
    with pytest.raises(UnknownService, match="no service nobody") as caught:
        client.call(Request("nobody", "echo"))
    assert not caught.value.may_have_run


def test_an_unknown_method(client: Client):
    with pytest.raises(UnknownMethod, match="service probe has no method nothing") as caught:
        client.call(probe("nothing"))
    assert not caught.value.may_have_run


def test_wrong_arguments(client: Client):
    with pytest.raises(WrongArguments, match="missing 1 required positional argument") as caught:
        client.call(probe("echo"))
    assert not caught.value.may_have_run


def test_an_unknown_method_that_the_service_called_is_its_own_failure(client: Client):
    with pytest.raises(RemoteError, match="MethodNotFound") as caught:
        client.call(probe("call_missing_method"))
    assert caught.value.may_have_run


def test_the_connection_is_used_again(client: Client, vhost):
    client.call(echo(0))
    before = wait_until(vhost.client_connections)
    for request in (probe("fail", "x"), Request("nobody", "echo"), probe("nothing"), probe("echo")):
        with pytest.raises((RemoteError, UnknownService, UnknownMethod, WrongArguments)):
            client.call(request)
    assert client.call(echo(1)) == 1
    assert [each["name"] for each in vhost.client_connections()] == [before[0]["name"]]
