"""A request that nobody waits for any more does not run when the service comes back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from broker import CallTimeout, Client

from tests.broker.probe import echo, probe


def test_it_expires_in_the_broker(start_service, client: Client):
    service = start_service()
    client.call(echo(1))
    service.kill()
    with pytest.raises(CallTimeout, match="no instance of the service probe is running") as caught:
        client.call(probe("record", "abandoned"), timeout=1)
    assert not caught.value.may_have_run
    start_service()
    assert client.call(probe("recorded")) == []


def test_what_one_instance_took_and_died_of_may_have_run(start_service, client: Client):
    service = start_service()
    client.call(echo(1))
    outcomes = []

    def call() -> None:
        with pytest.raises(CallTimeout, match="is running now") as caught:
            client.call(probe("sleep", 30), timeout=2)
        outcomes.append(caught.value.may_have_run)

    thread = threading.Thread(target=call)
    thread.start()
    assert not threading.Event().wait(0.5)
    service.kill()
    thread.join(10)
    assert outcomes == [True]


def test_a_service_that_comes_back_in_time_answers(start_service, client: Client):
    start_service().kill()
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.call, echo(1), timeout=20)
        start_service()
        assert answer.result() == 1
