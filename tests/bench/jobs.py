"""Measures how fast jobs are, compared with queue_job and bare Nameko, and with a backlog."""

import contextlib
import select
import statistics
import time

import psutil
import psycopg2
from nameko.standalone.rpc import ClusterRpcProxy

from tests.bench.jobs_world import (
    JOBS,
    make_jobs,
    make_records,
    open_world,
    prepare,
    wait_until_done,
    wait_until_idle,
)
from tests.bench.peers import queue_job
from tests.jobs.world import World
from tests.processes import Process
from tests.waiting import wait_until

LATENCIES = 100
FINISHED, PENDING = 1_000_000, 100_000
FEW = 30_000  # jobs, enough for the whole measurement
WINDOW = 100  # calls on their way over the bare proxy
DRAIN_SECONDS = 5
LOCKED = 10  # records
ROUND_SECONDS = 30  # twice with locks, a minute in all, and twice without
TELL_WHEN_DONE = """
    CREATE FUNCTION bench_done() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_notify('bench_done', ''); RETURN NULL; END $$;
    CREATE TRIGGER bench_done AFTER UPDATE ON nameko_job
        FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION bench_done()
"""
ANY_SENT = "SELECT EXISTS (SELECT FROM nameko_job WHERE state = 'sent')"
# Rows like merged ones, with six buckets of waiting times and six of running times.
BUSY_HOUR = """
    INSERT INTO nameko_job_minute (service, minute, state, waited, ran, jobs, is_merged)
    SELECT 'service' || service,
           date_trunc('minute', now() AT TIME ZONE 'UTC') - make_interval(mins => minute),
           'done', 10 + waited, 5 + ran, 100, true
      FROM generate_series(1, 20) service, generate_series(0, 59) minute,
           generate_series(0, 5) waited, generate_series(0, 5) ran
"""
OVERVIEWS = 20
UNFINISHED = "SELECT count(*) FROM nameko_job WHERE state IN ('pending', 'sent')"
COLUMNS = (
    "uuid, service, method, arguments, state, is_ready, is_waiting, res_model, res_id,"
    " result_field, user_id, company_id, language, priority, timeout, attempts, max_attempts,"
    " retry_delays, results_as, progress, has_result, create_uid, write_uid, create_date,"
    " write_date"
)


def measure() -> dict[str, float]:
    """Return figures by name; rates are jobs, calls or rows per second, times are in ms."""
    prepare()
    with open_world() as world:
        figures = _throughput(world) | _latency(world) | _creation(world)
    with open_world() as world:
        figures |= _locks(world)
    with open_world() as world:
        figures |= _backlog(world)
    figures["queue_job_per_s"] = queue_job.jobs_per_second(JOBS)
    figures["jobs_vs_queue_job"] = figures["jobs_per_s"] / figures["queue_job_per_s"]
    return figures


def _throughput(world: World) -> dict[str, float]:
    """Measure the rates of jobs and of a bare proxy in turn, three times."""
    make_records(world, JOBS)
    relay = world.start_relay()
    ours, bare = [], []
    for _ in range(3):
        world.sql("UPDATE nameko_job_probe SET result = 0")
        started = time.perf_counter()
        make_jobs(world, JOBS)
        wait_until_idle(world)
        ours.append(JOBS / (time.perf_counter() - started))
        bare.append(_bare_rate(world.amqp_uri))
    relay.terminate()
    rate = statistics.median(ours)
    return {
        "jobs_per_s": rate,
        "bare_nameko_per_s": statistics.median(bare),
        "jobs_vs_bare_nameko": rate / statistics.median(bare),
    }


def _locks(world: World) -> dict[str, float]:
    """Measure the rate of jobs of free records, with and without locks on ten other records."""
    make_records(world, JOBS)
    relay = world.start_relay()
    make_jobs(world, JOBS)
    wait_until_idle(world)
    free, beside = [], []
    for _ in range(2):
        free += _free_rates(world, ROUND_SECONDS)
        with psycopg2.connect(dbname=world.database) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM nameko_job_probe ORDER BY id LIMIT %s FOR UPDATE",
                           [LOCKED])  # fmt: skip
            beside += _free_rates(world, ROUND_SECONDS)
        connection.close()
        wait_until_idle(world)
    relay.terminate()
    rate, rate_beside = statistics.median(free), statistics.median(beside)
    return {
        "free_per_s": rate,
        "beside_locked_per_s": rate_beside,
        "locked_cost": rate_beside / rate,
    }


def _free_rates(world: World, seconds: float) -> list[float]:
    """Return the jobs per second of all but the first LOCKED records, for rounds of jobs."""
    rates = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        wanted = world.states().get("done", 0) + JOBS - LOCKED
        started = time.perf_counter()
        make_jobs(world, JOBS)
        wait_until_done(world, wanted)
        rates.append((JOBS - LOCKED) / (time.perf_counter() - started))
    return rates


def _bare_rate(uri: str) -> float:
    """Return the calls per second of one ClusterRpcProxy, WINDOW calls at a time."""
    with ClusterRpcProxy({"AMQP_URI": uri}) as cluster:
        cluster.bench_adder.add(1, 1)
        started = time.perf_counter()
        for _ in range(JOBS // WINDOW):
            replies = [cluster.bench_adder.add.call_async(n, 1) for n in range(WINDOW)]
            for reply in replies:
                reply.result()
        return JOBS / (time.perf_counter() - started)


def _latency(world: World) -> dict[str, float]:
    """Measure one job at a time on an idle system, from its commit to that of its result."""
    relay = world.start_relay()
    world.sql(TELL_WHEN_DONE)
    times = []
    with contextlib.closing(psycopg2.connect(dbname=world.database)) as listener:
        listener.autocommit = True
        listener.cursor().execute("LISTEN bench_done")
        for _ in range(LATENCIES):
            with world.env(user=2) as env:
                record = env["nameko.job.probe"].search([], limit=1)
                env["nameko.rpc"].delay(
                    "bench_adder", "add", 1, 1, record=record, result_field="result"
                )
                env.flush_all()
                started = time.perf_counter()
            while not listener.notifies:
                select.select([listener], [], [])
                listener.poll()
            times.append(time.perf_counter() - started)
            listener.notifies.clear()
    world.sql("DROP FUNCTION bench_done CASCADE")
    relay.terminate()
    latency, call = 1000 * statistics.median(times), _call_ms(world.amqp_uri)
    return {"job_ms": latency, "call_ms_beside_jobs": call, "job_latency_vs_call": latency / call}


def _call_ms(uri: str) -> float:
    from odoo.addons.nameko_connector.broker import BrokerConfig, Client, Request  # noqa: PLC0415

    times = []
    with contextlib.closing(Client(BrokerConfig(uri))) as client:
        for _ in range(LATENCIES):
            started = time.perf_counter()
            client.call(Request("bench_adder", "add", (1, 1)))
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _creation(world: World) -> dict[str, float]:
    """Measure the creation of jobs in bulk, and of as many simple rows with the ORM, in turn."""
    ours, orm = [], []
    for _ in range(3):
        started = time.perf_counter()
        make_jobs(world, JOBS)
        ours.append(JOBS / (time.perf_counter() - started))
        started = time.perf_counter()
        make_records(world, JOBS)
        orm.append(JOBS / (time.perf_counter() - started))
    rate, simple = statistics.median(ours), statistics.median(orm)
    return {"created_per_s": rate, "orm_created_per_s": simple, "create_many": rate / simple}


def _backlog(world: World) -> dict[str, float]:
    """Measure the rate with an almost empty table and a full one, and the relay's memory."""
    small = _memory_of_a_small_table(world)
    _copy_jobs(world, FEW, "pending")
    relay = world.start_relay()
    empty = _drain_rate(world)
    wait_until_idle(world)
    relay.terminate()
    _copy_jobs(world, FINISHED, "done")
    _copy_jobs(world, PENDING, "pending")
    world.sql("ANALYZE nameko_job")
    overview_ms = _overview_ms(world)
    relay = world.start_relay()
    full = _drain_rate(world)
    wait_until_idle(world)
    _copy_jobs(world, PENDING, "pending")
    world.sql("SELECT pg_notify('nameko_job', '')")
    wait_until_idle(world)
    return {
        "drained_per_s": empty,
        "drained_per_s_of_backlog": full,
        "backlog_growth": full / empty,
        "overview_ms": overview_ms,
        "relay_memory_mb": _memory(relay) / 2**20,
        "relay_memory_growth": _memory(relay) / small,
    }


def _memory_of_a_small_table(world: World) -> float:
    make_records(world, JOBS)
    make_jobs(world, JOBS)
    relay = world.start_relay()
    wait_until_idle(world)
    small = _memory(relay)
    relay.terminate()
    return small


def _overview_ms(world: World) -> float:
    """Return the ms that the overview takes to read a busy hour of twenty services."""
    from odoo.addons.nameko_connector.job_store.monitoring.statistics import count_live  # noqa: PLC0415

    world.sql(BUSY_HOUR)
    with world.env() as env:
        count_live(env.cr)
    times = []
    for _ in range(OVERVIEWS):
        with world.env() as env:
            started = time.perf_counter()
            env["nameko.overview"].read_overview()
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _drain_rate(world: World) -> float:
    """Return the jobs done per second, for DRAIN_SECONDS after the first request.

    It counts only twice, because counting a hundred thousand rows slows the relay down.
    """
    wait_until(lambda: world.sql(ANY_SENT) == [(True,)], seconds=60)
    times, left = [], []
    for _ in range(2):
        left.append(world.sql(UNFINISHED)[0][0])
        times.append(time.perf_counter())
        time.sleep(DRAIN_SECONDS)
    return float(left[0] - left[1]) / (times[1] - times[0])


def _copy_jobs(world: World, count: int, state: str) -> None:
    """Copy the finished jobs until there are `count` more in a state."""
    columns = COLUMNS.replace("uuid,", "", 1)
    values = columns.replace("state,", "%(state)s,").replace("is_ready,", "%(ready)s,")
    values = values.replace("has_result,", "%(state)s = 'done',")
    world.sql(
        f"INSERT INTO nameko_job (uuid, {columns}, done_at)"  # noqa: S608  constants
        f" SELECT gen_random_uuid(), {values}, now() FROM nameko_job"
        " CROSS JOIN generate_series(1, %(copies)s)"
        " WHERE id IN (SELECT id FROM nameko_job WHERE state = 'done' ORDER BY id LIMIT %(jobs)s)",
        state=state,
        ready=state == "pending",
        copies=count // JOBS,
        jobs=JOBS,
    )


def _memory(relay: Process) -> float:
    return float(psutil.Process(relay.pid).memory_info().rss)
