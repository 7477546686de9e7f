"""Measures the speed of the services: `measure()`, or `python -m tests.bench.services`.

It needs AMQP_URI and RABBITMQ_MANAGEMENT_URI of a running broker, on which it creates a virtual
host.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.processes import cluster, running
from tests.services.api.rest_api import serving
from tests.services.mail.smtp_server import SmtpServer
from tests.vhosts import Vhost, new_vhost
from tests.waiting import wait_until

CALLS = 2000
PAIRS = 10_000
MAILS = 500
BUSY_SECONDS = 25  # two and a half AMQP heartbeats


def measure() -> dict[str, float]:
    """Return the figures by name; a name contains the unit."""
    with new_vhost() as vhost:
        return measure_compute(vhost) | measure_mail(vhost) | measure_api(vhost)


def measure_compute(vhost: Vhost) -> dict[str, float]:
    """Return the latency of calls, idle and beside heavy work in the same process."""
    environment = {"AMQP_URI": vhost.amqp_uri, "AMQP_HEARTBEAT": "10"}
    with running("services.compute", **environment) as process, cluster(vhost.amqp_uri) as rpc:
        idle = latencies(rpc, CALLS)
        with counting_primes(vhost) as counted:
            busy = busy_latencies(rpc, BUSY_SECONDS)
        lost = sum("Connection to broker lost" in line for line in process.lines)
        pipelined = rate(CALLS, lambda: pipeline(rpc, CALLS))
        pairs = [[number, number] for number in range(PAIRS)]
        mapped = rate(PAIRS, lambda: rpc.compute.map("sum", pairs))
        prime_seconds = seconds(lambda: rpc.compute.prime_count(10**8))
    return {
        "compute_idle_p50_ms": percentile(idle, 50),
        "compute_idle_p99_ms": percentile(idle, 99),
        "compute_beside_primes_p99_ms": percentile(busy, 99),
        "compute_p99_beside_primes_vs_idle": percentile(busy, 99) / percentile(idle, 99),
        "primes_counted_meanwhile": len(counted),
        "connections_lost_meanwhile": lost,
        "compute_pipelined_calls_per_s": pipelined,
        "map_pairs_per_s": mapped,
        "prime_count_1e8_seconds": prime_seconds,
    }


@contextmanager
def counting_primes(vhost: Vhost) -> Iterator[list[int]]:
    """Let two clients count primes during the block, without a pause; yield the results."""
    counted: list[int] = []
    over = threading.Event()

    def count() -> None:
        with cluster(vhost.amqp_uri) as rpc:
            while not over.is_set():
                counted.append(rpc.compute.prime_count(10**8))

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: counted)
    try:
        yield counted
    finally:
        over.set()
        for thread in threads:
            thread.join()


def measure_mail(vhost: Vhost) -> dict[str, float]:
    """Return how fast mails are accepted, and delivered to a willing SMTP server."""
    server = SmtpServer()
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        environment = {"AMQP_URI": vhost.amqp_uri, "SMTP_PORT": str(server.port)}
        environment |= {"SMTP_HOST": "127.0.0.1", "IDEMPOTENCY_URL": f"sqlite:///{folder}/store"}
        with running("services.mail", **environment), cluster(vhost.amqp_uri) as rpc:
            started = time.perf_counter()
            replies = [
                rpc.mail.send.call_async("name@example.com", "subject", str(number))
                for number in range(MAILS)
            ]
            for reply in replies:
                reply.result()
            accepted = MAILS / (time.perf_counter() - started)
            wait_until(lambda: len(server.accepted) >= MAILS)
            delivered = MAILS / (time.perf_counter() - started)
    server.stop()
    return {"mails_accepted_per_s": accepted, "mails_delivered_per_s": delivered}


def measure_api(vhost: Vhost) -> dict[str, float]:
    """Return the latency of `POST /compute?wait=true`."""
    options = {
        "AMQP_URI": vhost.amqp_uri,
        "API_KEYS": "key",
        "API_RATE_LIMIT": "1000000 per second",
    }
    with running("services.compute", AMQP_URI=vhost.amqp_uri), serving(**options) as api:
        times = [seconds(lambda: api.compute(key="key", wait="true")) * 1000 for _ in range(300)]
    return {"api_compute_p50_ms": percentile(times, 50)}


def latencies(rpc: Any, count: int) -> list[float]:
    """Return the milliseconds of each of `count` calls, one after the other."""
    return [seconds(lambda: rpc.compute.method(1, 1)) * 1000 for _ in range(count)]


def busy_latencies(rpc: Any, duration: float) -> list[float]:
    """Return the milliseconds of calls made for `duration` seconds."""
    found: list[float] = []
    end = time.monotonic() + duration
    while time.monotonic() < end:
        found += latencies(rpc, 50)
    return found


def pipeline(rpc: Any, count: int) -> None:
    for reply in [rpc.compute.method.call_async(1, 1) for _ in range(count)]:
        reply.result()


def seconds(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def rate(count: int, action: Callable[[], Any]) -> float:
    return count / seconds(action)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=2)
