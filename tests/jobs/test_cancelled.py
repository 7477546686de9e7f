"""A job that is cancelled after it was sent: its service stops working for it."""

import re
from datetime import datetime

import kombu
import psutil
import pytest

from tests.jobs.world import World
from tests.processes import Process, nameko_run
from tests.waiting import PATIENCE, wait_until

LONG = 9 * 10**9  # counted for minutes
MANY = 5_000
EXCHANGE = "nameko_jobs.events"
UNANNOUNCED = "SELECT count(*) FROM nameko_job WHERE cancel_unannounced"


def start_compute(world: World) -> Process:
    command = nameko_run("services.compute")
    compute = world.start("compute", command, "nameko", COMPUTE_PROCESSES="1")
    wait_until(lambda: world.vhost.consumers("rpc-compute") > 0, what="the service")
    return compute


def busy_workers(compute: Process) -> list[psutil.Process]:
    """The processes that count, once they have begun."""
    children = psutil.Process(compute.pid).children()
    workers = [each for each in children if "services.compute.worker" in each.cmdline()]
    return [each for each in workers if each.cpu_times().user > 1]


def count_primes(world: World, limit: int):
    with world.env(user=2) as env:
        return env["nameko.rpc"].delay("compute", "prime_count", limit).uuid


def cancel(world: World, uuid: str) -> None:
    with world.env(user=2) as env:
        env["nameko.job"].search([("uuid", "=", uuid)]).action_cancel()


def test_the_work_stops_and_its_process_is_free(world: World):
    world.start_relay()
    compute = start_compute(world)
    uuid = count_primes(world, LONG)
    (worker,) = wait_until(lambda: busy_workers(compute))
    cancel(world, uuid)
    psutil.wait_procs([worker], PATIENCE)
    assert not worker.is_running()
    count_primes(world, 10**6)
    assert world.wait_until_finished() == {"cancelled": 1, "done": 1}
    assert world.sql(UNANNOUNCED) == [(0,)]


@pytest.mark.usefixtures("use_broker")
def test_the_scheduled_action_tells_it(world: World):
    from odoo.addons.nameko_connector.relay.fallback import move_for  # noqa: PLC0415

    compute = start_compute(world)
    uuid = count_primes(world, LONG)
    move_for(world.database, 3)
    (worker,) = wait_until(lambda: busy_workers(compute))
    cancel(world, uuid)
    with world.env() as env:
        from odoo.addons.nameko_connector.job_store.relays import has_live_jobs  # noqa: PLC0415

        assert has_live_jobs(env.cr)
    move_for(world.database, 3)
    psutil.wait_procs([worker], PATIENCE)
    assert not worker.is_running()


def test_only_jobs_that_were_sent_are_told_and_each_once(world: World):
    world.start_relay()
    world.start_service().kill()
    ids = world.make(1000)
    wait_until(lambda: world.states() == {"sent": 1000})
    waiting = world.make(1, service="nobody", eta=datetime(2100, 1, 1))
    channel = kombu.Connection(world.amqp_uri).channel()
    exchange = kombu.Exchange(EXCHANGE, "topic", durable=True)
    queue = kombu.Queue("heard", exchange, "cancelled", durable=True)
    queue(channel).declare()
    with world.env(user=2) as env:
        env["nameko.job"].search([("res_id", "in", ids + waiting)]).action_cancel()
    wait_until(lambda: world.sql(UNANNOUNCED) == [(0,)])
    heard = [queue(channel).get(no_ack=True).payload["job"] for _ in range(1000)]
    assert queue(channel).get() is None
    sent = world.sql("SELECT uuid FROM nameko_job WHERE service = 'probe'")
    assert sorted(heard) == sorted(uuid for (uuid,) in sent)
    channel.connection.close()


def test_a_broker_that_refuses_it_stops_nothing_and_it_is_told_later(world: World):
    other = kombu.Exchange(EXCHANGE, "fanout", durable=True)
    connection = kombu.Connection(world.amqp_uri)
    other(connection.channel()).declare()
    relay = world.start_relay()
    world.start_service().kill()
    world.make(1)
    wait_until(lambda: world.states() == {"sent": 1})
    with world.env(user=2) as env:
        env["nameko.job"].search([]).action_cancel()
    relay.wait_for_log("The news of cancelled jobs failed")
    world.start_service()
    world.make(20)
    assert world.wait_until_finished() == {"cancelled": 1, "done": 20}
    assert world.sql(UNANNOUNCED) == [(1,)]
    other(connection.channel()).delete()
    wait_until(lambda: world.sql(UNANNOUNCED) == [(0,)])
    connection.close()


def test_a_job_that_is_retried_is_not_told(world: World):
    world.start_service().kill()
    relay = world.start_relay()
    world.make(1)
    wait_until(lambda: world.states() == {"sent": 1})
    relay.terminate()
    with world.env(user=2) as env:
        job = env["nameko.job"].search([])
        job.action_cancel()
        assert job.sudo().cancel_unannounced
        job.action_retry()
    assert world.sql(UNANNOUNCED) == [(0,)]
    assert world.sql("SELECT state, attempts, sendings FROM nameko_job") == [("pending", 0, 1)]


def test_a_batch_that_runs_is_cancelled(world: World):
    """While the relay sends its jobs and writes results that this transaction cannot see."""
    world.start_relay()
    world.start_service()
    world.make(MANY)
    wait_until(lambda: world.states().get("done", 0) > MANY / 20)
    with world.env(user=2) as env:
        env["nameko.job"].search_count([])  # from here on the transaction sees nothing new
        done = world.states()["done"]
        wait_until(lambda: world.states()["done"] > done)
        told = env["nameko.batch"].search([]).action_cancel()["params"]["message"]
    assert re.search(r"^\d+ cancelled.\n\d+ skipped: they are being written", told), told
    states = world.wait_until_finished()
    assert states.keys() == {"done", "cancelled"}
    assert world.hits()[1] == states["done"]
