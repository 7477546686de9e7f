"""Many requests at once, while instances of their service die."""

import threading
import time

from broker import CallTimeout, Client

from tests.broker.probe import echo, no_longer_than, probe


def test_a_service_that_is_gone_is_waited_for_once(start_service, client: Client):
    service = start_service()
    client.call(echo(1))
    service.kill()
    with no_longer_than(3):
        outcomes = client.call_many([echo(number) for number in range(1000)], timeout=1)
    assert {type(outcome.error) for outcome in outcomes} == {CallTimeout}
    assert not any(outcome.error and outcome.error.may_have_run for outcome in outcomes)
    assert "Not sent: the service probe has answered nothing" in str(outcomes[-1].error)


def test_a_killed_instance_does_not_stop_the_run(start_service, client: Client):
    doomed, _ = start_service(), start_service()
    killer = threading.Timer(0.3, doomed.kill)
    killer.start()
    start = time.monotonic()
    outcomes = client.call_many([probe("sleep", 0.01, n) for n in range(1000)], timeout=5)
    killer.join()
    assert time.monotonic() - start > 0.3
    assert [outcome.result for outcome in outcomes] == list(range(1000))
