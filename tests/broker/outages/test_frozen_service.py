"""A service that is there and does not answer: the caller is free again, and told so."""

import pytest
from broker import CallTimeout, Client

from tests.broker.probe import echo, no_longer_than


def test_a_frozen_service(start_service, client: Client):
    service = start_service()
    client.call(echo(1))
    service.freeze()
    with (
        no_longer_than(2),
        pytest.raises(CallTimeout, match="1 instance is running, but") as caught,
    ):
        client.call(echo(1), timeout=1)
    assert caught.value.may_have_run
    assert caught.value.seconds == 1
    service.thaw()
    assert client.call(echo(2)) == 2
