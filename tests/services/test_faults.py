"""Service processes that are killed, stopped or cut off in the middle of calls."""

import itertools
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

import psutil
import pytest
from amqp import Message
from kombu import Connection

from stack.layout import CHECKOUT
from stack.ports import reserve
from tests.processes import BIN, cluster, running, starting
from tests.services.durable_client import DurableClient, progress_of, results
from tests.waiting import PATIENCE, wait_until

CALLS = [(number, 1) for number in range(400)]
SUMS = [number + 1 for number in range(400)]


@contextmanager
def supervised(folder, instances=1, **environment):
    """Run deploy/supervisord.conf itself, and leave nothing behind."""
    paths = {
        "NAMEKO_LOGS": folder,
        "NAMEKO_RUN": folder,
        "NAMEKO_HOME": CHECKOUT,
        "NAMEKO_BIN": BIN,
    }
    command = [BIN / "supervisord", "-c", CHECKOUT / "deploy" / "supervisord.conf"]
    supervisor = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", *command],  # which ends its programs, too
        env={
            **os.environ,
            **{name: str(path) for name, path in paths.items()},
            "NAMEKO_INSTANCES": str(instances),
            "API_KEYS": "key",
            "API_PORT": str(reserve()),
            **environment,
        },
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        yield supervisor
    finally:
        kill_all(supervisor)


def kill_all(supervisor):
    """Kill a supervisor with its programs."""
    children = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.kill()
    supervisor.wait()
    for child in children:
        child.kill()
    psutil.wait_procs(children, PATIENCE)


def service_processes(supervisor):
    found = set()
    for child in psutil.Process(supervisor.pid).children():
        with suppress(psutil.Error):
            if str(BIN / "nameko") in child.cmdline():
                found.add(child.pid)
    return found


def answers(amqp_uri):
    """Tell whether `compute` answers a call within 2 seconds."""
    try:
        with cluster(amqp_uri, timeout=2) as rpc:
            return rpc.compute.method(1, 1) == 2
    except Exception:  # noqa: BLE001 - whatever it is, it is no answer
        return False


@pytest.mark.slow
def test_the_broker_away_for_ten_seconds(fresh_vhost, proxy, tmp_path):
    """Whatever was accepted is answered, also what was in hand, and nobody restarts a thing."""
    with supervised(tmp_path, 2, AMQP_URI=fresh_vhost.uri(proxy.port)) as supervisor:
        wait_until(lambda: answers(fresh_vhost.amqp_uri))
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = client.request("compute.method", *CALLS)
        slow = client.request("compute.prime_count", *[(3 * 10**8,)] * 2)
        proxy.cut()
        more = client.request("compute.method", *CALLS)
        time.sleep(10)  # the fault itself
        proxy.restore()
        assert results(client.wait_for(ids + more)) == SUMS * 2
        assert results(client.wait_for(slow)) == [16252325] * 2
        wait_until(lambda: answers(fresh_vhost.amqp_uri))
        assert supervisor.poll() is None


def test_a_process_that_cannot_reply_lives_and_its_request_is_answered(fresh_vhost, proxy):
    """Nameko's trap: a worker that finishes while the broker is away ends the process."""
    environment = {"AMQP_URI": fresh_vhost.uri(proxy.port), "COMPUTE_PROCESSES": "1"}
    with running("services.compute", **environment) as process:
        client = DurableClient(fresh_vhost.amqp_uri)
        ids = client.request("compute.prime_count", (5 * 10**8,))
        wait_until(lambda: progress_of(fresh_vhost.amqp_uri, 1))
        proxy.cut()
        process.wait_for_log("the broker keeps the request")
        proxy.restore()
        assert results(client.wait_for(ids)) == [26355867]
        assert process.is_alive()


def test_a_killed_instance_under_load(vhost):
    """Every call that was accepted is answered by the other one."""
    environment = {"AMQP_URI": vhost.amqp_uri}
    with (
        running("services.compute", **environment),
        running("services.compute", **environment) as victim,
        cluster(vhost.amqp_uri) as rpc,
    ):
        replies = [rpc.compute.method.call_async(*call) for call in CALLS]
        slow = [rpc.compute.prime_count.call_async(10**8) for _ in range(6)]
        assert replies[0].result() == 1
        victim.kill()
        assert [reply.result() for reply in replies] == SUMS
        assert [reply.result() for reply in slow] == [5761455] * 6


@pytest.mark.slow
def test_a_stopped_instance_under_load(vhost):
    """SIGTERM, again and again, to one of two instances: no call fails."""
    environment = {"AMQP_URI": vhost.amqp_uri}
    outcomes, over = [], threading.Event()

    def call():
        with cluster(vhost.amqp_uri) as rpc:
            for number in itertools.count():
                if over.is_set():
                    return
                replies = [rpc.compute.method.call_async(number, n) for n in range(10)]
                try:
                    outcomes.append([reply.result() - number for reply in replies])
                except Exception as error:  # noqa: BLE001 - which is what may not happen
                    outcomes.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    with running("services.compute", **environment):
        for thread in threads:
            thread.start()
        for _ in range(2):
            with running("services.compute", **environment) as victim:
                before = len(outcomes)
                wait_until(lambda before=before: len(outcomes) > before + 20)
                assert victim.terminate() == 0
        over.set()
        for thread in threads:
            thread.join()
    assert all(outcome == list(range(10)) for outcome in outcomes), outcomes[-1]


def test_a_stopped_instance_finishes_what_is_in_hand_once(vhost, tmp_path):
    """Nameko alone gives its connection up first, and the request runs a second time elsewhere."""
    environment = {"AMQP_URI": vhost.amqp_uri}
    slow = "tests.services.slow_service"
    with running(slow, **environment) as first, cluster(vhost.amqp_uri) as rpc:
        reply = rpc.slow.work.call_async(str(tmp_path))
        wait_until((tmp_path / "runs").exists)
        with running(slow, **environment):
            first.signal(signal.SIGTERM)
            first.wait_for_log("stopping services")
            with pytest.raises(subprocess.TimeoutExpired):
                first.wait(3)  # longer than it takes to give up a connection
            (tmp_path / "go").touch()
            assert reply.result() == "done"
            assert first.wait(10) == 0
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


def test_without_a_broker_a_process_waits_for_it(fresh_vhost, proxy):
    proxy.cut()
    environment = {"AMQP_URI": fresh_vhost.uri(proxy.port)}
    with starting("services", **environment) as process:
        process.wait_for_log("compute waits for the broker")
        proxy.restore()
        process.wait_until_ready()
        assert answers(fresh_vhost.amqp_uri)


@pytest.mark.slow
def test_a_process_that_waits_for_its_broker_can_be_stopped():
    uri = f"pyamqp://guest:secret@127.0.0.1:{reserve()}"
    with starting("services", AMQP_URI=uri) as process:
        process.wait_for_log("waits for the broker")
        assert process.terminate() == 0
        assert not process.logged("secret")


def test_a_process_can_be_stopped_while_it_starts(vhost):
    with starting("services", AMQP_URI=vhost.amqp_uri) as process:
        process.wait_for_log("starting services")
        assert process.terminate() == 0


@pytest.mark.parametrize("method", ["method", "nothing"])
@pytest.mark.parametrize("body", ['{"args": [1, 2], "kwargs": {}}', "{}", "[]", "not json", "5"])
def test_a_malformed_request_kills_nobody(vhost, compute, method, body):
    with Connection(vhost.amqp_uri) as connection:
        channel = connection.default_channel
        for properties in ({}, {"content_type": "application/json"}):
            message = Message(body.encode(), **properties)
            channel.basic_publish(message, exchange="nameko-rpc", routing_key=f"compute.{method}")
    assert answers(vhost.amqp_uri)
    assert compute.is_alive()


def test_the_supervisor_starts_a_killed_process_again(vhost, tmp_path):
    with supervised(tmp_path, 2, AMQP_URI=vhost.amqp_uri) as supervisor:
        wait_until(lambda: len(service_processes(supervisor)) == 2)
        before = service_processes(supervisor)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(service_processes(supervisor) - before) == 2)
        wait_until(lambda: answers(vhost.amqp_uri))
