"""Many requests at once: results in order, errors where they belong."""

import threading

import pytest
from broker import (
    BrokerUnreachable,
    CallTimeout,
    Client,
    NotSendable,
    RemoteError,
    Request,
    RpcError,
    UncertainOutcome,
    UnknownService,
)

from tests.broker.probe import echo, probe


def test_results_come_in_order(kept_service, client: Client):
    requests = [probe("sleep", (7 - number % 7) / 1000, number) for number in range(300)]
    assert [outcome.get() for outcome in client.call_many(requests)] == list(range(300))


def test_no_requests(client: Client):
    assert client.call_many([]) == []


def test_errors_stay_with_their_request(kept_service, client: Client):
    requests = [echo(0), echo({1}), probe("fail", "x"), Request("nobody", "m"), echo(4)]
    outcomes = client.call_many(requests)
    kinds = [type(outcome.error) for outcome in outcomes]
    assert kinds == [type(None), NotSendable, RemoteError, UnknownService, type(None)]
    assert (outcomes[0].get(), outcomes[4].get()) == (0, 4)
    with pytest.raises(RemoteError, match="ValueError: x"):
        outcomes[2].get()


def test_one_slow_request_does_not_stop_the_others(kept_service, client: Client):
    requests = [echo(number) for number in range(500)]
    requests[100] = probe("sleep", 3)
    outcomes = client.call_many(requests, timeout=1)
    assert isinstance(outcomes.pop(100).error, CallTimeout)
    assert sum(outcome.error is None for outcome in outcomes) == 499


@pytest.mark.slow
def test_slow_requests_are_not_sent_faster_than_they_are_answered(kept_service, client: Client):
    outcomes = client.call_many([probe("sleep", 2, number) for number in range(40)], timeout=4.8)
    assert [outcome.get() for outcome in outcomes] == list(range(40))


def test_an_unreachable_broker_is_every_requests_error(make_client):
    client = make_client("amqp://guest:guest@127.0.0.1:1/")
    outcomes = client.call_many([echo(number) for number in range(3)])
    assert all(isinstance(outcome.error, BrokerUnreachable) for outcome in outcomes)
    assert len(outcomes) == 3
    assert outcomes[2].error is not None
    assert outcomes[2].error.service == "probe"


@pytest.mark.slow
def test_a_connection_lost_on_the_way_costs_only_what_was_under_way(kept_service, client, vhost):
    requests = [probe("sleep", 0.05, number) for number in range(1500)]
    outcomes: list[object] = []
    thread = threading.Thread(target=lambda: outcomes.extend(client.call_many(requests)))
    thread.start()
    vhost.close_client_connections()  # as soon as the broker knows of them, some seconds later
    thread.join(60)
    assert len(outcomes) == 1500
    lost = [each for each in outcomes if isinstance(each.error, UncertainOutcome)]
    assert 0 < len(lost) <= client.config.window
    answered = [(each.result, number) for number, each in enumerate(outcomes) if not each.error]
    assert len(answered) + len(lost) == 1500
    assert all(result == number for result, number in answered)


def test_the_window_bounds_what_is_on_its_way(kept_service, make_client, vhost):
    kept_service.freeze()
    client = make_client(window=1)
    try:
        outcomes = client.call_many([echo(1), echo(2)], timeout=0.5)
    finally:
        kept_service.thaw()
    assert all(isinstance(outcome.error, RpcError) for outcome in outcomes)
    assert "gave no answer" in str(outcomes[0].error)
    assert "Not sent" in str(outcomes[1].error)
