"""Primes are counted in processes of their own, which hold up no others."""

import signal
import threading
import time

import psutil
import pytest

from tests.processes import cluster, running
from tests.services.durable_client import DurableClient, progress_of, results
from tests.waiting import PATIENCE, wait_until


def pool_workers(process):
    children = psutil.Process(process.pid).children()
    return [child for child in children if "services.compute.worker" in child.cmdline()]


@pytest.fixture
def counting(fresh_vhost):
    """A process that counts primes for some seconds, and the client that asked for it."""
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "COMPUTE_STOP_SECONDS": "0.5"}
    with running("services.compute", **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        (process.request,) = client.request("compute.prime_count", (5 * 10**8,))
        wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
        process.client, process.uri = client, fresh_vhost.amqp_uri
        yield process


def test_other_calls_are_answered_while_primes_are_counted(counting):
    with cluster(counting.uri, timeout=5) as rpc:
        for number in range(50):
            assert rpc.compute.method(number, 1) == number + 1
    counting.client.take()
    assert not counting.client.replies  # the primes are still being counted
    assert results(counting.client.wait_for([counting.request])) == [26355867]


def test_progress_names_the_job_by_its_correlation_id(counting):
    events = progress_of(counting.uri, 3)
    assert {event["job"] for event in events} == {counting.request}
    shares = [event["progress"] for event in events]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1


def test_progress_names_the_job_that_the_header_or_the_caller_names(vhost, compute):
    client = DurableClient(vhost.amqp_uri)
    named = []

    def listen():
        named.extend(event["job"] for event in progress_of(vhost.amqp_uri, 1))

    for headers, args, job in (
        ({"nameko.job": "from-header"}, (), "from-header"),
        ({"nameko.job": "from-header"}, ("explicit",), "explicit"),
    ):
        listener = threading.Thread(target=listen)
        listener.start()
        wait_until(lambda: _progress_listeners(vhost))
        client.wait_for(client.request("compute.prime_count", (10**6, *args), **headers))
        listener.join()
        assert named.pop() == job


def _progress_listeners(vhost):
    bindings = vhost.request("GET", f"exchanges/{vhost.name}/compute.events/bindings/source")
    return [binding for binding in bindings if binding["routing_key"] == "progress"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_pool_workers_die_with_their_parent(counting, number):
    workers = pool_workers(counting)
    assert workers
    counting.signal(number)
    _, alive = psutil.wait_procs(workers, PATIENCE)
    assert not alive


def test_a_stopped_count_goes_back_to_the_queue(counting):
    assert counting.terminate() == 0
    assert counting.logged("goes back to the queue")
    with running("services.compute", AMQP_URI=counting.uri):
        assert results(counting.client.wait_for([counting.request])) == [26355867]
    assert len(counting.client.replies[counting.request]) == 1


def test_what_interrupts_the_whole_terminal_does_not_interrupt_the_count(counting):
    workers = pool_workers(counting)
    assert workers
    for worker in workers:
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
    assert results(counting.client.wait_for([counting.request])) == [26355867]


def test_a_killed_pool_worker_is_an_error_with_a_name_and_the_next_call_works(counting):
    for worker in pool_workers(counting):
        worker.kill()
    (reply,) = counting.client.wait_for([counting.request])
    assert reply["error"]["exc_type"] == "PoolWorkerDiedError"
    with cluster(counting.uri) as rpc:
        assert rpc.compute.prime_count(10**6) == 78498


@pytest.mark.slow
def test_the_amqp_heartbeat_holds_while_primes_are_counted(fresh_vhost):
    """The broker ends a connection that misses two heartbeats of 3 s, and hands its request out."""
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "AMQP_HEARTBEAT": "3"}
    with running("services.compute", **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        (request,) = client.request("compute.prime_count", (10**10,))
        (first,) = progress_of(fresh_vhost.amqp_uri, 1)
        until = time.monotonic() + 12  # the fault would show after 6 to 9 s
        while time.monotonic() < until:
            (last,) = progress_of(fresh_vhost.amqp_uri, 1)
        assert not client.take()
        assert first["job"] == last["job"] == request
        assert first["progress"] < last["progress"]  # a second run would begin anew
        assert not process.logged("Connection to broker lost")
