"""How fast calls are, as ratios measured in one run: `python -m tests.bench.calls AMQP_URI`.

The virtual host of the URI should be one of the benchmark's own.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import amqp

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "odoo_addons/nameko_connector"))

from broker import BrokerConfig, Client, Request, RpcError
from nameko.standalone.rpc import ClusterRpcProxy

from stack.layout import CHECKOUT
from tests.bench.peers.raw_server import QUEUE, connection
from tests.waiting import wait_until

ROUNDS = 10  # each takes every way in turn, so that other load on the machine affects all of them
CALLS = 100  # of each way in a round
SEED_CALLS = 10
INSTANCES = 4
THREADS = 16
THREAD_CALLS = 2000
PIPELINED = 5000
ADD = Request("bench_adder", "add", (99999, 99999))


def measure(uri: str) -> dict[str, float]:
    """Return figures by name: times in ms, rates in calls/s, the rest ratios.

    call_vs_raw_amqp, call_vs_kept_proxy, call_vs_seed: medians of one call at a time.
    calls_per_s_16_threads_vs_1: 16 threads of one process, against one thread, 4 instances.
    """
    with contextlib.closing(Client(BrokerConfig(uri))) as client:
        return _single_calls(uri, client) | _many_calls(uri, client)


def _single_calls(uri: str, client: Client) -> dict[str, float]:
    with _instances(uri, client, 1), raw_server(uri), ClusterRpcProxy(_nameko(uri)) as kept:
        times = _time_in_turn(
            {
                "raw": (RawClient(uri).call, CALLS),
                "call": (lambda: client.call(ADD), CALLS),
                "kept": (lambda: kept.bench_adder.add(99999, 99999), CALLS),
                "seed": (lambda: _seed_call(uri), SEED_CALLS),
            }
        )
        pipelined = _pipelined_rate(client)
    medians = {way: statistics.median(each) * 1000 for way, each in times.items()}
    return {
        "call_ms": medians["call"],
        "call_p99_ms": statistics.quantiles(times["call"], n=100)[98] * 1000,
        "raw_amqp_ms": medians["raw"],
        "kept_proxy_ms": medians["kept"],
        "seed_ms": medians["seed"],
        "pipelined_calls_per_s": pipelined,
        "call_vs_raw_amqp": medians["call"] / medians["raw"],
        "call_vs_kept_proxy": medians["call"] / medians["kept"],
        "call_vs_seed": medians["call"] / medians["seed"],
    }


def _many_calls(uri: str, client: Client) -> dict[str, float]:
    with _instances(uri, client, INSTANCES):
        one = _rate(client, 1)
        sixteen = _rate(client, THREADS)
    return {
        "calls_per_s_1_thread": one,
        "calls_per_s_16_threads": sixteen,
        "calls_per_s_16_threads_vs_1": sixteen / one,
    }


def _time_in_turn(ways: dict[str, tuple[Callable[[], object], int]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, (call, calls) in ways.items():
            times[way] += [_time(call) for _ in range(calls)]
    return times


def _time(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    assert call() == 199998
    return time.perf_counter() - start


def _pipelined_rate(client: Client) -> float:
    start = time.perf_counter()
    results = [each.get() for each in client.call_many([ADD] * PIPELINED)]
    assert results == [199998] * PIPELINED
    return PIPELINED / (time.perf_counter() - start)


def _rate(client: Client, threads: int) -> float:
    """Return the calls per second of so many threads together; raise any error of theirs."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(THREAD_CALLS // threads):
                assert client.call(ADD) == 199998
        except BaseException as error:  # noqa: BLE001  raised below, in the thread that asks
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return THREAD_CALLS / (time.perf_counter() - start)


class RawClient:
    """Makes round trips over a direct reply-to queue, with the same AMQP library."""

    def __init__(self, uri: str) -> None:
        self._channel = connection(uri).channel()
        self._replies: dict[str, amqp.Message] = {}
        reply_to = "amq.rabbitmq.reply-to"
        self._channel.basic_consume(reply_to, no_ack=True, callback=self._receive)

    def _receive(self, message: amqp.Message) -> None:
        self._replies[message.properties["correlation_id"]] = message

    def call(self) -> object:
        number = str(uuid.uuid4())
        request = amqp.Message(
            json.dumps([99999, 99999]), correlation_id=number, reply_to="amq.rabbitmq.reply-to"
        )
        self._channel.basic_publish(request, "", QUEUE)
        while number not in self._replies:
            self._channel.connection.drain_events()
        return json.loads(self._replies.pop(number).body)


def _seed_call(uri: str) -> object:
    """Call as the articles do: with a new proxy for each call."""
    with ClusterRpcProxy(_nameko(uri)) as rpc:
        return rpc.bench_adder.add(99999, 99999)


def _nameko(uri: str) -> dict[str, str]:
    return {"AMQP_URI": uri}


@contextlib.contextmanager
def _running(*command: str, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _instances(uri: str, client: Client, number: int) -> Iterator[None]:
    """Run so many instances of the service as in production; wait until all consume."""
    command = ("nameko", "run", "--config", "services/config.yaml", "tests.bench.adder_service")
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(_running(*command, AMQP_URI=uri))
        wait_until(lambda: _consumers(uri, "rpc-bench_adder") == number)
        wait_until(lambda: _answers(client))
        yield
    wait_until(lambda: _consumers(uri, "rpc-bench_adder") == 0)


@contextlib.contextmanager
def raw_server(uri: str) -> Iterator[None]:
    """Keep the server of `RawClient` running."""
    with _running("tests.bench.peers.raw_server", uri):
        wait_until(lambda: _consumers(uri, QUEUE) == 1)
        yield


def _consumers(uri: str, queue: str) -> int:
    with connection(uri) as open_connection:
        try:
            declared = open_connection.channel().queue_declare(queue, passive=True)
        except amqp.NotFound:
            return 0
        return int(declared.consumer_count)


def _answers(client: Client) -> bool:
    try:
        return bool(client.call(ADD, timeout=1) == 199998)
    except RpcError:
        return False


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1]), indent=2))  # noqa: T201
