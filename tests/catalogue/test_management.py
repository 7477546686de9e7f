"""RabbitMQ's own view of a service's queue."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import kombu
import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

URI = os.environ.get("RABBITMQ_MANAGEMENT_URI", "")


@pytest.fixture
def report(jobs_database: str):
    from odoo.addons.nameko_connector.broker.beats import management  # noqa: PLC0415

    return management.queue_report


@pytest.fixture
def failure(jobs_database: str):
    """What the management API's failures are raised as."""
    from odoo.addons.nameko_connector.broker.beats import management  # noqa: PLC0415

    return management.ManagementError


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A web server that answers as its path's first part says: a status, or a bare queue."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status = self.path.split("/")[1]
            self.send_response(200 if status == "bare" else int(status))
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(b'{"name": "rpc-probe"}' if status == "bare" else b"hello")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://u:s3cret@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_requests_that_wait(world: World, report):
    service = world.start_service()
    wait_until(lambda: report(URI, world.vhost.name, "rpc-probe").consumers == 1)
    service.kill()
    with kombu.Connection(world.amqp_uri) as connection:
        for _ in range(3):
            connection.Producer().publish({}, routing_key="rpc-probe")
    wait_until(lambda: report(URI, world.vhost.name, "rpc-probe").ready == 3)
    wait_until(lambda: report(URI, world.vhost.name, "rpc-probe").consumers == 0)


def test_queue_that_does_not_exist_is_empty(world: World, report):
    found = report(URI, world.vhost.name, "rpc-never / ran")
    assert (found.ready, found.unacknowledged, found.consumers) == (0, 0, 0)


def test_figures_that_rabbitmq_does_not_keep_are_unknown(report, elsewhere: str):
    found = report(f"{elsewhere}/bare", "/", "rpc-probe")
    assert (found.ready, found.unacknowledged, found.consumers) == (None, None, None)
    assert not found.is_known


@pytest.mark.parametrize("status", [200, 302, 401, 500])
def test_other_answers_are_errors_without_password(report, failure, elsewhere: str, status: int):
    with pytest.raises(failure) as caught:
        report(f"{elsewhere}/{status}", "/", "rpc-probe")
    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["", "http://", "ftp://h", "http://u:s3cret/x@h:x", "http://u:s3cret@127.0.0.1:1"]
)
def test_addresses_that_lead_nowhere(report, failure, uri: str):
    with pytest.raises(failure) as caught:
        report(uri, "/", "rpc-probe")
    assert "s3cret" not in str(caught.value)
