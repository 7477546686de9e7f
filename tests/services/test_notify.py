"""`compute.method` and `notify`: alone, then as a real process."""

import json
import logging

import pytest
from nameko.testing.services import worker_factory

from services import ComputeService, NotifyService
from services.logs import JsonFormatter
from tests.processes import cluster, running


def test_method_adds_and_notifies_without_waiting():
    service = worker_factory(ComputeService)
    assert service.method(99999, 99999) == 199998
    notify = service.notify.send.call_async
    service.after_reply.assert_called_once_with(notify, "Operation completed 199998")


def test_notify_logs_one_line(caplog):
    with caplog.at_level(logging.INFO):  # a name would not do: Odoo's runbot calls 25 "INFO"
        worker_factory(NotifyService).send("hello")
    assert caplog.messages == ["hello"]


def test_notify_has_levels(caplog):
    with caplog.at_level(logging.WARNING):
        worker_factory(NotifyService).error("on fire")
        worker_factory(NotifyService).info("told in vain below level info")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "on fire")
    ]


def test_a_huge_message_is_one_line_that_can_be_read():
    record = logging.makeLogRecord({"msg": "%s", "args": ("x" * 15_000_000,)})
    line = JsonFormatter().format(record)
    assert len(line) < 11_000
    assert "(15000000 characters)" in line


@pytest.mark.parametrize(
    "message", ["two\nlines", "\r\n{}", "\u2028", "\x1b[31m", 5, None, {"a": "\n"}]
)
def test_no_message_injects_a_line(message):
    record = logging.makeLogRecord({"msg": "%s", "args": (message,)})
    line = JsonFormatter().format(record)
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line)["message"] == str(message)


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


def test_a_real_process_logs_one_line_a_message(vhost, services):
    with cluster(vhost.amqp_uri) as rpc:
        rpc.notify.error("first\nsecond")
    line = json.loads(services.wait_for_log("second"))
    assert (line["level"], line["message"]) == ("ERROR", "first\nsecond")


def test_notify_is_told_even_before_its_first_start(fresh_vhost):
    uri = fresh_vhost.amqp_uri
    with running("services.compute", AMQP_URI=uri) as compute:
        with cluster(uri) as rpc:
            assert rpc.compute.method(40, 2) == 42
        assert compute.terminate() == 0  # the reply comes before notify is told, the end after it
    with running("services.notify", AMQP_URI=uri) as notify:
        notify.wait_for_log("Operation completed 42")


def test_notify_whose_queue_was_deleted_is_missed_in_the_log(fresh_vhost):
    uri = fresh_vhost.amqp_uri
    with running("services.compute", AMQP_URI=uri) as compute, cluster(uri) as rpc:
        fresh_vhost.request("DELETE", f"queues/{fresh_vhost.name}/rpc-notify")
        assert [rpc.compute.method(40, number) for number in range(3)] == [40, 41, 42]
        assert "UnknownService" in compute.wait_for_log("not done after the reply")
        assert compute.is_alive()
