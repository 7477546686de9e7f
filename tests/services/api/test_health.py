"""However many ask for the health of the services, the broker is asked once a second at most."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api import health
from services.api.health import HealthCheck
from services.api.models import Health


class Broker:
    """Stands for the look at the broker: counts how often it is asked, and answers when told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, config: dict) -> Health:
        self.looks += 1
        self.is_asked.set()
        self.may_answer.wait()
        return Health(healthy=True, broker="reachable", services={})


@pytest.fixture
def broker(monkeypatch):
    broker = Broker()
    monkeypatch.setattr(health, "check_health", broker)
    yield broker
    broker.may_answer.set()


def test_many_who_ask_at_once_are_one_look(broker, monkeypatch):
    monkeypatch.setattr(health, "KEPT_SECONDS", 3600)
    check = HealthCheck({})
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: check(), range(1_000)))
    assert all(each.healthy for each in found)
    assert broker.looks == 1


def test_what_is_old_is_looked_at_again(broker, monkeypatch):
    monkeypatch.setattr(health, "KEPT_SECONDS", -1)
    check = HealthCheck({})
    check()
    check()
    assert broker.looks == 2


def test_nobody_waits_for_a_look_of_another(broker, monkeypatch):
    """The last answer is good enough meanwhile."""
    monkeypatch.setattr(health, "KEPT_SECONDS", -1)
    check = HealthCheck({})
    last = check()
    broker.is_asked.clear()
    broker.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(check)
        broker.is_asked.wait()
        assert check() is last
        broker.may_answer.set()
        assert slow.result() is not last
