"""How fast jobs are: beside queue_job and bare Nameko, with a backlog, and over many of them."""

import contextlib
import select
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
from nameko.standalone.rpc import ClusterRpcProxy

from odoo.tools import config

from tests.bench import queue_job
from tests.jobs.world import World, install, odoo_options
from tests.processes import Process, nameko_run
from tests.waiting import wait_until

HERE = Path(__file__).parent
JOBS = 5_000
MAX_WORKERS = "100"  # what docs/services.md advises for light methods
LATENCIES = 100
FINISHED, PENDING = 1_000_000, 100_000
FEW = 30_000  # jobs, which last longer than the measurement
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
UNFINISHED = "SELECT count(*) FROM nameko_job WHERE state IN ('pending', 'sent')"
COLUMNS = (
    "uuid, service, method, arguments, state, is_ready, is_waiting, res_model, res_id,"
    " result_field, user_id, company_id, language, priority, timeout, attempts, max_attempts,"
    " retry_delays, results_as, progress, has_result, create_uid, write_uid, create_date,"
    " write_date"
)


def measure() -> dict[str, float]:
    """Figures by name; rates are jobs, calls or rows a second, times ms."""
    install()
    config.parse_config(odoo_options())
    with _world() as world:
        figures = _throughput(world) | _latency(world) | _creation(world)
    with _world() as world:
        figures |= _locks(world)
    with _world() as world:
        figures |= _backlog(world)
    figures["queue_job_per_s"] = queue_job.jobs_per_second(JOBS)
    figures["jobs_vs_queue_job"] = figures["jobs_per_s"] / figures["queue_job_per_s"]
    return figures


@contextlib.contextmanager
def _world() -> Iterator[World]:
    """An empty database and a virtual host in which the adder runs, as it would in production."""
    world = World()
    world.open()
    world.empty()
    config_file = HERE.parents[1] / "services" / "config.yaml"
    command = nameko_run("tests.bench.adder_service", config=config_file)
    world.start("adder", command, MAX_WORKERS=MAX_WORKERS)
    wait_until(lambda: world.vhost.consumers("rpc-bench_adder") > 0, seconds=60)
    try:
        yield world
    finally:
        world.close()


def _make_jobs(world: World, count: int) -> None:
    """Create so many jobs for as many records that exist, in one transaction."""
    with world.env(user=2) as env:
        from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

        records = env["nameko.job.probe"].search([], limit=count)
        env["nameko.rpc"].delay_many(
            JobRequest(
                "bench_adder", "add", (number, 1), {}, JobOptions(record=r, result_field="result")
            )
            for number, r in enumerate(records)
        )


def _make_records(world: World, count: int) -> None:
    with world.env(user=2) as env:
        env["nameko.job.probe"].create([{"number": number} for number in range(count)])


def _throughput(world: World) -> dict[str, float]:
    """Ours and the bare proxy's in turn, three times."""
    _make_records(world, JOBS)
    relay = world.start_relay()
    ours, bare = [], []
    for _ in range(3):
        world.sql("UPDATE nameko_job_probe SET result = 0")
        started = time.perf_counter()
        _make_jobs(world, JOBS)
        _wait_until_idle(world)
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
    """The rate of jobs whose records are free, with others' locked for a minute, and without."""
    _make_records(world, JOBS)
    relay = world.start_relay()
    _make_jobs(world, JOBS)
    _wait_until_idle(world)
    free, beside = [], []
    for _ in range(2):
        free += _free_rates(world, ROUND_SECONDS)
        with psycopg2.connect(dbname=world.database) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM nameko_job_probe ORDER BY id LIMIT %s FOR UPDATE",
                           [LOCKED])  # fmt: skip
            beside += _free_rates(world, ROUND_SECONDS)
        connection.close()
        _wait_until_idle(world)
    relay.terminate()
    rate, rate_beside = statistics.median(free), statistics.median(beside)
    return {
        "free_per_s": rate,
        "beside_locked_per_s": rate_beside,
        "locked_cost": rate_beside / rate,
    }


def _free_rates(world: World, seconds: float) -> list[float]:
    """Jobs a second, of all but the first records', round after round for so long."""
    rates = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        wanted = world.states().get("done", 0) + JOBS - LOCKED
        started = time.perf_counter()
        _make_jobs(world, JOBS)
        _wait_until_done(world, wanted)
        rates.append((JOBS - LOCKED) / (time.perf_counter() - started))
    return rates


def _wait_until_done(world: World, jobs: int) -> None:
    wait_until(lambda: world.states().get("done", 0) >= jobs, seconds=300)


def _wait_until_idle(world: World, seconds: float = 900) -> None:
    query = "SELECT EXISTS (SELECT FROM nameko_job WHERE state = 'pending')"
    query += " OR EXISTS (SELECT FROM nameko_job WHERE state = 'sent')"
    wait_until(lambda: world.sql(query) == [(False,)], seconds=seconds)


def _bare_rate(uri: str) -> float:
    """Calls a second that one kept ClusterRpcProxy makes, many on their way at a time."""
    with ClusterRpcProxy({"AMQP_URI": uri}) as cluster:
        cluster.bench_adder.add(1, 1)
        started = time.perf_counter()
        for _ in range(JOBS // WINDOW):
            replies = [cluster.bench_adder.add.call_async(n, 1) for n in range(WINDOW)]
            for reply in replies:
                reply.result()
        return JOBS / (time.perf_counter() - started)


def _latency(world: World) -> dict[str, float]:
    """One job at a time on an idle system, from its commit until its result is committed."""
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
    """Bulk creation of jobs beside ORM creates of as many simple rows, in turn."""
    ours, orm = [], []
    for _ in range(3):
        started = time.perf_counter()
        _make_jobs(world, JOBS)
        ours.append(JOBS / (time.perf_counter() - started))
        started = time.perf_counter()
        _make_records(world, JOBS)
        orm.append(JOBS / (time.perf_counter() - started))
    rate, simple = statistics.median(ours), statistics.median(orm)
    return {"created_per_s": rate, "orm_created_per_s": simple, "create_many": rate / simple}


def _backlog(world: World) -> dict[str, float]:
    """The rate with an all but empty table and with a full one, and the relay's memory."""
    _make_records(world, JOBS)
    _make_jobs(world, JOBS)
    relay = world.start_relay()
    _wait_until_idle(world)
    small = _memory(relay)
    relay.terminate()
    _copy_jobs(world, FEW, "pending")
    relay = world.start_relay()
    empty = _drain_rate(world)
    _wait_until_idle(world)
    relay.terminate()
    _copy_jobs(world, FINISHED, "done")
    _copy_jobs(world, PENDING, "pending")
    world.sql("ANALYZE nameko_job")
    relay = world.start_relay()
    full = _drain_rate(world)
    _wait_until_idle(world)
    _copy_jobs(world, PENDING, "pending")
    world.sql("SELECT pg_notify('nameko_job', '')")
    _wait_until_idle(world)
    return {
        "drained_per_s": empty,
        "drained_per_s_of_backlog": full,
        "backlog_growth": full / empty,
        "relay_memory_mb": _memory(relay) / 2**20,
        "relay_memory_growth": _memory(relay) / small,
    }


def _drain_rate(world: World) -> float:
    """Jobs a second that get done, over some seconds from the first requests on.

    They are counted twice only: to count a hundred thousand rows takes the relay's processor.
    """
    wait_until(lambda: world.sql(ANY_SENT) == [(True,)], seconds=60)
    times, left = [], []
    for _ in range(2):
        left.append(world.sql(UNFINISHED)[0][0])
        times.append(time.perf_counter())
        time.sleep(DRAIN_SECONDS)
    return float(left[0] - left[1]) / (times[1] - times[0])


def _copy_jobs(world: World, count: int, state: str) -> None:
    """Add rows like the finished ones that are there."""
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
