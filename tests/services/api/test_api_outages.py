"""The REST API beside clients and services that do not behave."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
import requests

from stack.ports import reserve
from tests.processes import running
from tests.services.api.rest_api import SUM, reply_queues, serving
from tests.waiting import wait_until
from tests.wire.raw import RawPublisher, short


@pytest.mark.slow
def test_connections_that_trickle_keep_nobody_out(environment, services):
    with serving(**environment) as api, ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.port), 10))
            for _ in range(150)
        ]
        for connection in connections:
            connection.sendall(b"POST /compute HTTP/1.1\r\nX: ")
        assert api.compute(wait="true").status_code == 200

        def is_closed():
            """Send another byte, as somebody does who wants to stay."""
            with suppress(BlockingIOError):
                connections[0].setblocking(False)
                try:
                    connections[0].send(b"x")
                    return connections[0].recv(1) == b""
                except ConnectionError:
                    return True
            return False

        wait_until(is_closed)


def test_waiting_for_a_frozen_service_holds_up_no_others(environment, fresh_vhost, tmp_path):
    options = environment | {
        "AMQP_URI": fresh_vhost.amqp_uri,
        "IDEMPOTENCY_URL": f"sqlite:///{tmp_path}/store",
        "API_THREADS": "2",
        "API_TIMEOUT": "120",
    }
    with (
        running("services.compute", **options) as compute,
        running("services.mail", **options),
        serving(**options) as api,
        ThreadPoolExecutor(3) as threads,
    ):
        assert api.compute(wait="true").status_code == 200
        compute.signal(signal.SIGSTOP)
        try:
            waiters = [threads.submit(api.compute, wait="true", timeout=200) for _ in range(3)]
            wait_until(lambda: any(waiter.done() for waiter in waiters))
            (busy,) = (waiter.result() for waiter in waiters if waiter.done())
            assert (busy.status_code, busy.json()["error"]) == (503, "Busy")
            assert int(busy.headers["Retry-After"]) >= 1  # the limiter says more
            assert api.compute(SUM | {"email": "a@example.com"}).status_code == 202
            assert requests.get(f"{api.url}/health", timeout=20).json()["broker"] == "reachable"
        finally:
            compute.signal(signal.SIGCONT)
        answers = [waiter.result().status_code for waiter in waiters]
        assert sorted(answers) == [200, 200, 503]


def test_odd_messages_in_its_queues_are_nobody_s_answer(api, vhost):
    """Any client that may publish can put messages into these queues."""
    api.compute(wait="true")
    publisher = RawPublisher(vhost.amqp_uri)
    for queue in reply_queues(vhost):
        for content_type in (b"application/x-python-serialize", b"application/json"):
            properties = {"content_type": short(content_type)}
            properties |= {"correlation_id": short(b"\xff" * 20)}
            publisher.publish(b"", queue.encode(), properties, b"{odd")
    publisher.close()
    for _ in range(20):
        assert api.compute(wait="true").status_code == 200


def test_a_flooded_reply_queue_is_thrown_away(api, vhost):
    api.compute(wait="true")
    publisher = RawPublisher(vhost.amqp_uri)
    flooded = reply_queues(vhost)
    properties = {"content_type": short(b"application/json"), "correlation_id": short(b"any")}
    for queue in flooded:
        for _ in range(100):
            publisher.publish(b"", queue.encode(), properties, b"1")
    publisher.close()
    for _ in range(20):
        assert api.compute(wait="true").status_code == 200
    wait_until(lambda: set(flooded) - set(reply_queues(vhost)), what="the end of one that was used")


def test_services_that_are_away_are_said_to_be(environment, fresh_vhost):
    options = {"AMQP_URI": fresh_vhost.amqp_uri, "API_TIMEOUT": "0.5"}
    with serving(**environment | options) as api:
        assert requests.get(f"{api.url}/health", timeout=5).status_code == 503
        answer = api.compute(wait="true")
        assert (answer.status_code, answer.json()["error"]) == (503, "UnknownService")
        with running("services.compute", **environment | options):
            assert api.compute(wait="true").status_code == 200
        wait_until(lambda: requests.get(f"{api.url}/health", timeout=5).status_code == 503)
        assert api.compute(wait="true").status_code == 504
        with running("services.compute", **environment | options):
            assert api.compute(wait="true").json() == {"result": 40}


def test_a_broker_that_is_away_is_said_to_be(environment):
    with serving(**environment | {"AMQP_URI": f"pyamqp://127.0.0.1:{reserve()}"}) as api:
        answer = requests.get(f"{api.url}/health", timeout=10)
        assert (answer.status_code, answer.json()["broker"]) == (503, "ConnectionRefusedError")
        assert api.compute(wait="true").status_code == 503


def test_sigterm_finishes_what_is_in_hand(environment, services):
    with serving(**environment) as api:
        answers, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    answers.append(api.compute(wait="true").status_code)
                except requests.ConnectionError:
                    return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 50)
        assert api.terminate(15) == 0
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
