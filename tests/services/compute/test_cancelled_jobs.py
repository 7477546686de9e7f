"""A job that was cancelled: services in our container stop working for it."""

import json
import time
import uuid

import pytest
from kombu import Connection, Exchange

from services.cancelling import MAX_REMEMBERED, Cancellations
from services.exceptions import JobCancelled
from tests.processes import cluster, running
from tests.services.compute.test_pool import pool_workers
from tests.services.durable_client import DurableClient, progress_of
from tests.services.messaging.odd_messages import RawClient
from tests.waiting import wait_until

ASKING = "tests.services.asking_service"
EVENTS = Exchange("nameko_jobs.events", "topic", durable=True)
LONG = 9 * 10**9  # counted for minutes


@pytest.fixture
def compute(fresh_vhost):
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "COMPUTE_PROCESSES": "1"}
    with running("services.compute", **environment) as process:
        yield process


def cancel(amqp_uri, job):
    with Connection(amqp_uri) as connection:
        connection.Producer().publish(
            {"job": job}, exchange=EVENTS, routing_key="cancelled", serializer="json"
        )


def request(client, method, *args, **headers):
    """Publish a request of a job; return its id, which is its correlation id as well."""
    (job,) = client.request(method, args, **headers)
    return job


def error_of(client, correlation_id):
    (reply,) = client.wait_for([correlation_id])
    return reply["error"] and reply["error"]["exc_type"]


def test_many_events_are_heard(fresh_vhost, compute):
    """More than a process takes at once: each is acknowledged, whatever it holds."""
    client = DurableClient(fresh_vhost.amqp_uri)
    job = str(uuid.uuid4())
    counting = request(client, "compute.prime_count", LONG, **{"nameko.job": job})
    wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
    with Connection(fresh_vhost.amqp_uri) as connection:
        producer = connection.Producer()
        for number in range(1000):
            body = {"job": f"somebody's {number}"} if number % 2 else {"job": None}
            producer.publish(body, exchange=EVENTS, routing_key="cancelled", serializer="json")
    cancel(fresh_vhost.amqp_uri, job)
    assert error_of(client, counting) == "JobCancelled"
    assert not compute.logged("somebody's 999")


def test_a_cancelled_count_stops_and_frees_its_process(fresh_vhost, compute):
    client = DurableClient(fresh_vhost.amqp_uri)
    job = str(uuid.uuid4())
    running_count = request(client, "compute.prime_count", LONG, **{"nameko.job": job})
    wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
    waiting_job = str(uuid.uuid4())
    waiting = request(client, "compute.prime_count", LONG, **{"nameko.job": waiting_job})
    other = request(client, "compute.prime_count", 10**6)
    (worker,) = pool_workers(compute)
    cancel(fresh_vhost.amqp_uri, waiting_job)
    assert error_of(client, waiting) == "JobCancelled"
    assert worker.is_running()
    cancelled_at = time.monotonic()
    cancel(fresh_vhost.amqp_uri, job)
    assert error_of(client, running_count) == "JobCancelled"
    assert not worker.is_running() or worker.status() == "zombie"
    assert client.wait_for([other])[0]["result"] == 78498
    assert time.monotonic() - cancelled_at < 60  # where a count to the end takes minutes


def test_a_request_that_waits_in_the_queue_is_not_run(fresh_vhost):
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "MAX_WORKERS": "1"}
    with running(ASKING, **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        busy = request(client, "asking.work", 60)
        waiting = request(client, "asking.work", 0)
        other = request(client, "asking.work", 0)
        cancel(fresh_vhost.amqp_uri, waiting)
        process.wait_for_log(f"job {waiting} was cancelled")
        cancel(fresh_vhost.amqp_uri, busy)
        assert client.wait_for([busy])[0]["result"] == f"{busy} stopped"
        assert error_of(client, waiting) == "JobCancelled"
        assert client.wait_for([other])[0]["result"] == f"{other} done"


def test_a_cancelled_job_that_is_sent_again_runs(fresh_vhost):
    """It has the same id: what tells is when its request was sent."""
    with running(ASKING, AMQP_URI=fresh_vhost.amqp_uri) as process:
        raw = RawClient(fresh_vhost.amqp_uri)
        job = str(uuid.uuid4())
        cancel(fresh_vhost.amqp_uri, job)
        process.wait_for_log(f"job {job} was cancelled")
        body = b'{"args": [0], "kwargs": {}}'
        for timestamp in (int(time.time()) - 10, None):
            options = {} if timestamp is None else {"timestamp": timestamp}
            raw.request("asking.work", body, f"{job}:1", **options)
            assert raw.reply(f"{job}:1")["error"]["exc_type"] == "JobCancelled"
        headers = {"nameko.job": job}
        sent = int(time.time()) + 1
        raw.request("asking.work", body, f"{job}:1", timestamp=sent, application_headers=headers)
        assert raw.reply(f"{job}:1")["result"] == f"{job} done"
        raw.close()


def test_events_of_any_kind_cancel_nothing_and_harm_nobody(fresh_vhost):
    with running(ASKING, AMQP_URI=fresh_vhost.amqp_uri) as process:
        raw = RawClient(fresh_vhost.amqp_uri)
        for body in (b"", b"{", b"\xff", b"[]", b'{"job": 5}', b'{"job": null}', b"[" * 100_000):
            raw.publish("nameko_jobs.events", "cancelled", body, content_type="x", reply_to=b"\xff")
        body = json.dumps({"job": "x" * 2_000_000}).encode()
        raw.publish("nameko_jobs.events", "cancelled", body)
        cancel(fresh_vhost.amqp_uri, "the last one")
        process.wait_for_log("job the last one was cancelled")
        assert sum("was cancelled" in line for line in process.lines) == 1
        assert not process.logged("Connection to broker lost")
        raw.close()


def test_an_exchange_of_another_kind_is_no_reason_not_to_work(fresh_vhost):
    with Connection(fresh_vhost.amqp_uri) as connection:
        Exchange("nameko_jobs.events", "fanout", durable=False)(connection.channel()).declare()
    with (
        running(ASKING, AMQP_URI=fresh_vhost.amqp_uri) as process,
        cluster(fresh_vhost.amqp_uri) as rpc,
    ):
        assert rpc.asking.work(0).endswith("done")
        process.wait_for_log("goes without events of cancelled jobs")


def test_a_full_service_does_not_hold_up_its_neighbours_in_the_process(fresh_vhost):
    """All workers of `asking` are busy: others answer, timers fire, and it still hears."""
    services = (ASKING, "services.compute")
    with (
        running(*services, AMQP_URI=fresh_vhost.amqp_uri, MAX_WORKERS="2") as process,
        cluster(fresh_vhost.amqp_uri, timeout=30) as rpc,
    ):
        client = DurableClient(fresh_vhost.amqp_uri)
        busy = client.request("asking.work", *[(120,)] * 10)
        assert rpc.compute.method(1, 2) == 3
        ticks = sum("tick" in line for line in process.lines)
        wait_until(lambda: sum("tick" in line for line in process.lines) > ticks + 2)
        for job in busy:
            cancel(fresh_vhost.amqp_uri, job)
        replies = client.wait_for(busy, 30)
        assert all(reply["result"] or reply["error"] for reply in replies)
        assert process.is_alive()


def test_what_is_remembered_is_bounded():
    cancellations = Cancellations()
    for number in range(MAX_REMEMBERED + 100):
        cancellations.cancel(str(number))
    cancellations.check("0", None)
    with pytest.raises(JobCancelled, match="99"):
        cancellations.check(f"{MAX_REMEMBERED + 99}:1", None)
    assert len(cancellations._heard) == MAX_REMEMBERED
