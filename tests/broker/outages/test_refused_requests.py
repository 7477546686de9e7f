"""A queue that takes no more, and a broker that takes nothing."""

import pytest
from broker import CallTimeout, Client, RequestRefused

from tests.broker.probe import echo
from tests.waiting import wait_until


@pytest.mark.slow
def test_a_full_queue(start_service, rabbitmq, client: Client, vhost):
    start_service().kill()
    limit = {"max-length": 1, "overflow": "reject-publish"}
    rabbitmq.request("PUT", f"policies/{vhost.name}/full", pattern="^rpc-probe$", definition=limit)
    wait_until(lambda: vhost.queues()["rpc-probe"].get("policy") == "full")
    with pytest.raises(CallTimeout):
        client.call(echo(1), timeout=0.5)
    outcomes = client.call_many([echo(1), echo(2), echo(3)], timeout=1)
    refused = [each.error for each in outcomes if isinstance(each.error, RequestRefused)]
    assert refused
    assert not any(error.may_have_run for error in refused)
    rabbitmq.request("DELETE", f"policies/{vhost.name}/full")


def test_a_user_who_may_not_call(start_service, rabbitmq, make_client, vhost):
    start_service()
    rabbitmq.request("PUT", "users/reader", password="pw", tags="")
    rights = {"configure": ".*", "write": r"^rpc\.reply-.*", "read": ".*"}
    rabbitmq.request("PUT", f"permissions/{vhost.name}/reader", **rights)
    client = make_client(vhost.uri(login="reader:pw"))
    with pytest.raises(RequestRefused, match="access to exchange 'nameko-rpc'") as caught:
        client.call(echo(1))
    assert not caught.value.may_have_run
