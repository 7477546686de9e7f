"""Heartbeats of real processes: events, pings to a monitor, metrics."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import requests
from kombu import Connection, Exchange, Queue
from nameko.rpc import rpc

from services.heartbeat.catalogue import describe_methods, describe_services
from services.heartbeat.monitor import Monitor
from stack.ports import reserve
from tests.processes import cluster, running
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

EXCHANGE = b"heartbeat.events"


class Platform:
    """A monitoring platform: remembers requests; may be cross, or answer byte by byte for ever."""

    def __init__(self):
        self.requests, self.status, self.released = [], 200, threading.Event()
        self.dripping = False
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                platform.requests.append((self.command, self.path, body))
                while platform.dripping and not platform.released.wait(0.05):
                    self.wfile.write(b"H")  # something comes in each 0.1 s, and never an end
                self.send_response(platform.status)
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret-uuid"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def platform():
    platform = Platform()
    yield platform
    platform.close()


def monitor(url, timeout=5):
    provider = Monitor()
    provider.container = SimpleNamespace(
        config={"HEARTBEAT_URL": url, "HEARTBEAT_TIMEOUT": timeout, "HEARTBEAT_INTERVAL": 30}
    )
    provider.setup()
    return provider


def test_a_ping_is_a_get(platform):
    monitor(platform.url).ping()
    assert platform.requests == [("GET", "/secret-uuid", "")]


def test_a_problem_is_posted_with_its_reason(platform):
    monitor(platform.url).ping("the broker is away")
    assert platform.requests == [("POST", "/secret-uuid/fail", "the broker is away")]


def test_no_url_no_ping():
    monitor("").ping()


def test_a_monitor_that_is_down_or_cross_is_logged_without_the_secret(platform, caplog):
    platform.status = 500
    monitor(platform.url).ping()
    monitor(f"http://127.0.0.1:{reserve()}/secret-uuid").ping()
    assert "status 500" in caplog.messages[0]
    assert "127.0.0.1 not reached" in caplog.messages[1]
    assert "secret" not in caplog.text


def test_the_catalogue_tells_how_to_call():
    class Example:
        """An example."""

        def method(self, a, b: int = 1, *more, c: str | None = None, **rest):
            """Do it."""

    assert describe_methods(Example) == []
    Example.method = rpc(Example.method)
    (described,) = describe_services([SimpleNamespace(service_name="example", service_cls=Example)])
    (method,) = described.pop("methods")
    assert described == {"name": "example", "doc": "An example."}
    positional, keyword = "POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"
    assert method.pop("parameters") == [
        {"name": "a", "kind": positional},
        {"name": "b", "kind": positional, "annotation": "int", "default": 1},
        {"name": "more", "kind": "VAR_POSITIONAL"},
        {"name": "c", "kind": keyword, "annotation": "str | None", "default": None},
        {"name": "rest", "kind": "VAR_KEYWORD"},
    ]
    assert method == {"name": "method", "doc": "Do it."}


@contextmanager
def listening(amqp_uri):
    """Collect the bodies of events `beat`; call what it yields to wait until a condition holds."""
    bodies = []
    exchange = Exchange("heartbeat.events", "topic", durable=True)
    with Connection(amqp_uri) as connection:
        queue = Queue("", exchange, "beat", exclusive=True, channel=connection)
        with connection.Consumer(
            queue, callbacks=[lambda body, _: bodies.append(body)], no_ack=True
        ):

            def take_until(condition):
                while not condition(bodies):
                    connection.drain_events(timeout=10)
                return bodies

            yield take_until


def beats(amqp_uri, count):
    """Return the bodies of the next `count` events `beat`."""
    with listening(amqp_uri) as take_until:
        return take_until(lambda bodies: len(bodies) >= count)


def test_a_process_tells_who_it_is_and_what_it_hosts(vhost):
    with running("services.compute", AMQP_URI=vhost.amqp_uri, HEARTBEAT_INTERVAL="0.2") as process:
        process.wait_for_log("alive")
        first, second = beats(vhost.amqp_uri, 2)
    assert first["host"] == socket.gethostname()
    assert first["pid"] == process.pid
    assert first["interval"] == 0.2
    assert second["started"] == first["started"]
    assert second["id"] == first["id"]
    assert second["uptime"] > first["uptime"]
    services = {service["name"]: service for service in first["services"]}
    assert set(services) == {"compute", "heartbeat"}
    methods = {method["name"]: method for method in services["compute"]["methods"]}
    assert [p["name"] for p in methods["method"]["parameters"]] == ["value1", "value2"]
    assert methods["compute"]["parameters"][-1]["default"] is None


def test_a_beat_says_what_runs(vhost):
    with listening(vhost.amqp_uri) as take_until:
        environment = {"AMQP_URI": vhost.amqp_uri, "HEARTBEAT_INTERVAL": "0.2"}
        with running("services.compute", **environment) as process:
            process.wait_for_log("alive")
            with cluster(vhost.amqp_uri) as rpc:
                for _ in range(2):
                    rpc.compute.prime_count.call_async(10**10)
                said = take_until(lambda bodies: any(body["running"] for body in bodies))
                assert all(body["running"].keys() <= {"compute.prime_count"} for body in said)
                two = {"compute.prime_count": 2}
                take_until(lambda bodies: any(body["running"] == two for body in bodies))
            process.kill()


def test_a_monitor_that_never_ends_its_answer_is_not_in_the_way(vhost, platform):
    """Of the next beat, or the next ping."""
    platform.dripping = True
    environment = {"HEARTBEAT_INTERVAL": "0.2", "HEARTBEAT_URL": platform.url}
    with running("services.notify", AMQP_URI=vhost.amqp_uri, **environment) as process:
        wait_until(lambda: len(platform.requests) > 2)
        wait_until(lambda: sum("alive" in line for line in process.lines) > 5)
        process.wait_for_log("not reached")
    assert not process.logged("secret")


def names(beat):
    return [service["name"] for service in beat["services"]]


@pytest.mark.slow
def test_a_process_that_stops_in_order_says_goodbye(vhost):
    with listening(vhost.amqp_uri) as take_until:
        environment = {"AMQP_URI": vhost.amqp_uri, "HEARTBEAT_INTERVAL": "0.2"}
        with running("services.compute", **environment) as process:
            first = take_until(lambda bodies: any("heartbeat" in names(beat) for beat in bodies))[0]
            assert process.terminate() == 0
        last = take_until(lambda bodies: any(beat.get("stopping") for beat in bodies))[-1]
    assert (last["id"], last["stopping"]) == (first["id"], True)


@pytest.mark.parametrize(
    "services",
    [
        ("tests.services.plain_service",),
        ("tests.services.plain_service", "services.heartbeat"),
        ("services.compute", "services.notify"),
    ],
)
def test_a_process_beats_once_whatever_it_hosts(vhost, services):
    with running(*services, AMQP_URI=vhost.amqp_uri, HEARTBEAT_INTERVAL="0.2") as process:
        bodies = beats(vhost.amqp_uri, 6)
        assert sum('"heartbeat is ready"' in line for line in process.lines) == 1
    assert len({body["id"] for body in bodies}) == 1
    assert all(names(body).count("heartbeat") == 1 for body in bodies)


def test_a_process_does_not_beat_where_that_is_not_wanted(vhost):
    with running("services.notify", AMQP_URI=vhost.amqp_uri, HEARTBEAT_INTERVAL="0") as process:
        with cluster(vhost.amqp_uri) as services:
            services.notify.send("hello")
        assert process.terminate() == 0
        assert not process.logged("heartbeat is ready")


class BreakingProxy(TcpProxy):
    """Breaks the first connection over which the exchange of the beats is declared."""

    has_broken = False

    def _to_server(self, source, sink):
        while (data := source.recv(65536)) and (self.has_broken or EXCHANGE not in data):
            sink.sendall(data)
        self.has_broken |= EXCHANGE in data
        source.shutdown(socket.SHUT_RDWR)


def test_a_heartbeat_that_cannot_start_is_started_again(vhost):
    """A connection lost while it starts: the process's service goes on."""
    proxy = BreakingProxy(vhost.port)
    environment = {"AMQP_URI": vhost.uri(proxy.port), "HEARTBEAT_INTERVAL": "0.2"}
    with running("services.notify", **environment) as process:
        process.wait_for_log("the heartbeat is started again")
        process.wait_for_log('"message": "alive"')
        assert process.terminate() == 0
    assert proxy.has_broken
    proxy.cut()


def test_metrics_of_a_process(vhost):
    port = reserve()
    environment = {"AMQP_URI": vhost.amqp_uri, "METRICS_PORT": str(port)}
    with running("services.compute", **environment):
        with cluster(vhost.amqp_uri) as services:
            assert services.compute.compute("sum", 1, 1) == 2
            with pytest.raises(Exception, match="divided by zero"):
                services.compute.compute("div", 1, 0)
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    labels = 'method="compute",service="compute"'
    assert f"nameko_calls_total{{{labels}}} 2.0" in text
    assert f'nameko_errors_total{{error="DivisionByZeroError",{labels}}} 1.0' in text
    assert f"nameko_call_seconds_count{{{labels}}} 2.0" in text
    assert f"nameko_running_calls{{{labels}}} 0.0" in text


def test_a_metrics_port_that_is_taken_stops_nothing(vhost):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with running("services.notify", AMQP_URI=vhost.amqp_uri, METRICS_PORT=port) as process:
            assert "cannot listen" in json.loads(process.wait_for_log("no metrics"))["message"]
            process.wait_for_log("alive")
