"""`compute.method`, `notify.send` and the heartbeat: alone, then as a real process."""

import json

import pytest
from nameko.testing.services import worker_factory

from services import ComputeService, HeartbeatService, NotifyService
from tests.services.conftest import cluster, running, wait_until


def test_method_adds_and_notifies_without_waiting():
    service = worker_factory(ComputeService)
    assert service.method(99999, 99999) == 199998
    service.notify.send.call_async.assert_called_once_with("Operation completed 199998")


def test_notify_logs_one_line(caplog):
    with caplog.at_level("INFO"):
        worker_factory(NotifyService).send("hello")
    assert caplog.messages == ["hello"]


def test_heartbeat_logs(caplog):
    with caplog.at_level("INFO"):
        worker_factory(HeartbeatService).beat()
    assert caplog.messages == ["alive"]


@pytest.fixture(scope="module")
def services(vhost):
    with running("services", AMQP_URI=vhost.amqp_uri, HEARTBEAT_INTERVAL="0.2") as process:
        process.wait_for_log("alive")
        yield process


def test_a_real_process_adds_and_notifies(vhost, services):
    with cluster(vhost.amqp_uri) as rpc:
        assert rpc.compute.method(99999, 99999) == 199998
    line = services.wait_for_log("Operation completed 199998")
    assert json.loads(line)["logger"] == "services.notify"


def test_a_real_process_beats_again_and_again(services):
    before = sum("alive" in line for line in services.lines)
    wait_until(lambda: sum("alive" in line for line in services.lines) >= before + 3)
