"""Whatever a message holds, the worst is an error reply, or a log line and an ack."""

import contextlib
import itertools
import json
import zlib
from struct import pack

import amqp
import pytest
from amqp.exceptions import FrameSyntaxError
from hypothesis import HealthCheck, given, settings

from tests.processes import cluster, running
from tests.services.messaging.odd_messages import MESSAGES, REQUEST, RawClient
from tests.vhosts import new_vhost
from tests.waiting import wait_until

BODY = json.dumps(REQUEST).encode()
SERVICES = ("tests.services.messaging.odd_service", "services.compute", "services.notify")
BAD_UTF8 = b"\xff\xfe"
numbers = itertools.count()


@pytest.fixture(scope="module")
def vhost():
    with new_vhost() as vhost:
        yield vhost


@pytest.fixture(scope="module")
def process(vhost):
    with running(*SERVICES, AMQP_URI=vhost.amqp_uri, NAMEKO_MAX_MESSAGE_BYTES="1000000") as process:
        yield process


@pytest.fixture(scope="module")
def raw(vhost, process):
    client = RawClient(vhost.amqp_uri)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def unharmed(process, raw):
    """After each test: the same process on the same connections answers."""
    yield
    check_unharmed(process, raw)


def check_unharmed(process, raw):
    for key in ("odd.echo", "compute.method"):
        args = [1] if key == "odd.echo" else [1, 1]
        correlation_id = f"sane-{next(numbers)}"
        raw.request(key, json.dumps({"args": args, "kwargs": {}}).encode(), correlation_id)
        assert raw.reply(correlation_id)["error"] is None
    assert process.is_alive()
    assert not process.logged("Connection to broker lost")
    assert not process.logged("killing")


def error_of(raw, key, body, **properties):
    """Return the type of the error with which a request is answered, None for a result."""
    correlation_id = properties.pop("correlation_id", f"odd-{next(numbers)}")
    raw.request(key, body, correlation_id, **properties)
    error = raw.reply(correlation_id)["error"]
    return error and error["exc_type"]


def all_are_handled(vhost, *queues):
    def left():
        found = {queue["name"]: queue for queue in vhost.request("GET", f"queues/{vhost.name}")}
        return [name for name in queues if found[name].get("messages", 1)]

    wait_until(lambda: not left())


@pytest.mark.parametrize(
    "properties",
    [
        {"content_type": "application/data"},
        {"content_type": "application/text"},
        {"content_type": "application/x-python-serialize"},
        {"content_type": "nothing/known"},
        {"content_encoding": "zlib"},
        {"content_encoding": BAD_UTF8},
        {"application_headers": {"compression": "nothing known"}},
        {"application_headers": {"compression": ["a list"]}},
        {"message_id": BAD_UTF8},
        {"type": BAD_UTF8},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_answered_with_an_error(raw, properties):
    assert error_of(raw, "odd.echo", BODY, **properties)


@pytest.mark.parametrize(
    "headers",
    [
        {"nameko.call_id_stack": 5},
        {"nameko.call_id_stack": [1, None, {}]},
        {"call_id_stack": {"a": 1}},
        {"nameko.job": [1]},
        {"nameko.job": b"\xff"},
        {"nameko.language": None},
        {"x-nameko-deliveries": "five"},
        {"x-nameko-deliveries": {"count": "x", "queue": 5, "since": -1}},
    ],
    ids=str,
)
def test_odd_headers_are_no_reason_not_to_run_a_request(raw, headers):
    assert error_of(raw, "odd.echo", BODY, application_headers=headers) is None
    sums = b'{"args": [1, 2], "kwargs": {}}'
    assert error_of(raw, "compute.method", sums, application_headers=headers) is None


def test_a_header_whose_name_is_no_utf8(raw):
    assert error_of(raw, "odd.echo", BODY, application_headers={BAD_UTF8: 1}) is None


def test_a_timestamp_beyond_the_calendar(raw):
    assert error_of(raw, "odd.echo", BODY, timestamp=2**64 - 1) is None
    headers = {"when": Encoded(b"T" + b"\xff" * 8)}
    assert error_of(raw, "odd.echo", BODY, application_headers=headers) == "MalformedRequest"


class Encoded(bytes):
    """A header's value as it goes over the wire."""


@pytest.fixture(autouse=True)
def encoded_values(monkeypatch):
    write = amqp.serialization._write_item

    def write_item(value, write_bytes, bits):
        if isinstance(value, Encoded):
            write_bytes(value)
        else:
            write(value, write_bytes, bits)

    monkeypatch.setattr(amqp.serialization, "_write_item", write_item)


def test_deeply_nested_headers(raw):
    table = b"V"
    for _ in range(5000):
        table = b"A" + pack(">I", len(table)) + table
    headers = {"deep": Encoded(table)}
    assert error_of(raw, "odd.echo", BODY, application_headers=headers) == "MalformedRequest"


@pytest.mark.parametrize("reply_to", [None, "", b"\xff" * 255, "x" * 255, "odd.echo", "nobody"])
def test_wherever_the_reply_is_to_go(raw, vhost, reply_to):
    properties = {} if reply_to is None else {"reply_to": reply_to}
    raw.publish("nameko-rpc", "odd.echo", BODY, content_type="application/json", **properties)
    all_are_handled(vhost, "rpc-odd")


@pytest.mark.parametrize("key", [b"odd.\xff", "odd.", "odd.nothing", "odd.ech\ud800"])
def test_methods_that_do_not_exist(raw, key):
    assert error_of(raw, key, BODY) == "MethodNotFound"


@pytest.mark.parametrize("correlation_id", [b"\xff" * 255, "x" * 255, ""])
def test_whatever_the_correlation_id_is(raw, vhost, correlation_id):
    options = {"content_type": "application/json", "reply_to": raw.reply_to}
    raw.publish("nameko-rpc", "odd.echo", BODY, correlation_id=correlation_id, **options)
    expected = None if isinstance(correlation_id, bytes) else correlation_id
    assert raw.reply(expected)


def test_a_bomb_is_not_unpacked(raw):
    bomb = zlib.compress(b" " * 500_000_000)
    for properties in (
        {"application_headers": {"compression": "gzip"}},
        {"content_type": "application/text", "content_encoding": "zlib_codec"},
    ):
        assert error_of(raw, "odd.echo", bomb, **properties) in ("MalformedRequest", "TypeError")


def test_compressed_requests_are_still_taken(raw):
    headers = {"compression": "gzip"}
    assert error_of(raw, "odd.echo", zlib.compress(BODY), application_headers=headers) is None


def test_a_request_that_is_too_large_is_not_read(raw):
    body = b'{"args": ["' + b"x" * 2_000_000 + b'"], "kwargs": {}}'
    assert error_of(raw, "odd.echo", body) == "RequestTooLarge"


@pytest.mark.parametrize(
    "name",
    [
        *("set", "tuple keys", "list in tuple key", "endless", "circle", "surrogate", "huge"),
        *("bytes", "unprintable", "nowhere", "exit", "timeout", "cancelled", "memory"),
    ],
)
def test_whatever_a_method_raises_is_answered(raw, name):
    assert error_of(raw, "odd.fail", json.dumps({"args": [name], "kwargs": {}}).encode())


@pytest.mark.parametrize("name", ["set", "generator", "tuple keys", "object", "module"])
def test_whatever_a_method_returns_is_answered(raw, name):
    body = json.dumps({"args": [name], "kwargs": {}}).encode()
    assert error_of(raw, "odd.give", body) == "UnserializableValueError"


def test_halves_of_surrogate_pairs_come_back_as_they_came(vhost, process):
    with cluster(vhost.amqp_uri) as rpc:
        assert rpc.odd.give("surrogate") == "\ud800"
        assert rpc.odd.echo("\ud800") == "\ud800"


QUEUES = {
    "request": ("nameko-rpc", "odd.echo"),
    "request to ours": ("nameko-rpc", "compute.method"),
    "event": ("odd.events", "told"),
    "task": ("", "odd.tasks"),
    "reply": ("", None),
    "cancellation": ("nameko_jobs.events", "cancelled"),
    "suspect": ("", "nameko.suspects-odd"),
}


@pytest.mark.parametrize("queue", QUEUES)
def test_any_message_to_any_queue(vhost, process, raw, queue):
    exchange, key = QUEUES[queue]
    if key is None:
        found = vhost.request("GET", f"queues/{vhost.name}")
        key = next(q["name"] for q in found if q["name"].startswith("rpc.reply-odd"))

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(MESSAGES)
    def publish(message):
        body, properties = message
        with contextlib.suppress(FrameSyntaxError, ValueError):  # py-amqp cannot send it
            raw.publish(exchange, key, body, **properties)

    publish()
    check_unharmed(process, raw)


def test_events_and_tasks_that_cannot_be_read_are_dropped(vhost, raw, process, tmp_path):
    file = tmp_path / "handled"
    for exchange, key in (QUEUES["event"], QUEUES["task"]):
        raw.publish(exchange, key, b"{", content_type="application/json")
        raw.publish(exchange, key, BODY, content_type="application/json", message_id=BAD_UTF8)
        raw.publish(exchange, key, b'"fail"', content_type="application/json")
        body = json.dumps({"file": str(file)}).encode()
        raw.publish(exchange, key, body, content_type="application/json")
    wait_until(lambda: file.exists() and len(file.read_text().splitlines()) == 2)
    all_are_handled(vhost, "odd.tasks", "evt-odd-told--odd.on_told")


@pytest.mark.parametrize("answer", [b"{", b"\xff", b"5", b'{"error": {"exc_path": []}}'])
def test_a_reply_that_cannot_be_read_does_not_keep_its_caller_waiting(raw, answer):
    """A worker waits for another service, whose answer is garbage."""
    raw.channel.queue_declare("rpc-garbler", durable=True, auto_delete=False)
    raw.channel.queue_bind("rpc-garbler", "nameko-rpc", "garbler.*")
    asked = f"ask-{next(numbers)}"
    raw.request("odd.ask_garbler", b'{"args": [], "kwargs": {}}', asked)
    message = wait_until(lambda: raw.channel.basic_get("rpc-garbler", no_ack=True))
    raw.publish(
        "nameko-rpc",
        message.properties["reply_to"],
        answer,
        content_type="application/json",
        correlation_id=message.properties["correlation_id"],
    )
    assert raw.reply(asked)["error"]
