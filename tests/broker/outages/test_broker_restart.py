"""The broker is stopped or killed, and started again: errors meanwhile, and none after."""

import threading

import pytest
from broker import BrokerUnreachable, Client, UncertainOutcome

from tests.broker.probe import echo, no_longer_than, probe


@pytest.mark.slow
def test_calls_work_again_as_soon_as_it_is_back(start_service, rabbitmq, client: Client):
    service = start_service()
    client.call(echo(1))
    rabbitmq.stop()
    for _ in range(20):
        with (
            no_longer_than(0.5),
            pytest.raises(BrokerUnreachable, match="nothing listens") as caught,
        ):
            client.call(echo(2))
        assert not caught.value.may_have_run
    rabbitmq.start()
    service.kill_process()
    start_service()
    assert client.call(echo(3)) == 3


@pytest.mark.slow
def test_a_request_on_its_way_is_uncertain(start_service, rabbitmq, client: Client):
    service = start_service()
    client.call(echo(1))
    kill = threading.Timer(0.5, rabbitmq.kill)
    kill.start()
    with no_longer_than(3), pytest.raises(UncertainOutcome):
        client.call(probe("sleep", 30), timeout=20)
    kill.join()
    rabbitmq.start()
    service.kill_process()
