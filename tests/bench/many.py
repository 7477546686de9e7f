"""Measures the relay service with 50 databases: its idle cost, and how soon it works."""

import functools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.bench.jobs_world import make_jobs, make_records, open_world, prepare
from tests.jobs.many.many import PREFIX, Many, child, create, drop, wait_for_children
from tests.jobs.world import World
from tests.processes import Process
from tests.waiting import wait_until

DATABASES = 50
IDLE_SECONDS = 60
BACKLOG = 20_000
LATENCIES = 30
STARTS = 5
LISTENING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE starts_with(datname, %s) AND starts_with(application_name, 'nameko_relay-')
"""


def measure() -> dict[str, float]:
    """Return figures by name."""
    prepare()
    names = [f"bench{number}" for number in range(DATABASES)]
    with open_world() as world, databases(names), served(Many(world)) as (many, service):
        worlds = [many[name] for name in names]
        sessions = functools.partial(world.sql, LISTENING, f"{PREFIX}bench")
        wait_until(lambda: sessions() == [(DATABASES,)], what="a session in each database")
        figures = _idle(service)
        figures |= _starts(worlds[:STARTS], service)
        figures |= _busy(worlds[0], worlds[1])
        busy = child(service, names[0])
        figures["many_child_pss_mb"] = busy.memory_full_info().pss / 1e6
        figures["many_child_uss_mb"] = busy.memory_full_info().uss / 1e6
    return figures


@contextmanager
def databases(names: list[str]) -> Iterator[None]:
    """Create databases, and drop them after the block."""
    for name in names:
        create(name)
    try:
        yield
    finally:
        for name in names:
            drop(name)


@contextmanager
def served(many: Many) -> Iterator[tuple[Many, Process]]:
    """Run the service as in production, with short idle times."""
    service = many.start("--idle-seconds=5", only="bench")
    try:
        yield many, service
    finally:
        many.close()


def _idle(service: Process) -> dict[str, float]:
    wait_for_children(service, 0)
    process = psutil.Process(service.pid)
    before, began = sum(process.cpu_times()[:2]), time.perf_counter()
    servers = _server_seconds()
    time.sleep(IDLE_SECONDS)  # the period that is measured
    seconds = time.perf_counter() - began
    return {
        "many_idle_cpu": 100 * (sum(process.cpu_times()[:2]) - before) / seconds,
        "many_idle_server_cpu": 100 * (_server_seconds() - servers) / seconds,
        "many_parent_rss_mb": process.memory_info().rss / 1e6,
        "many_parent_pss_mb": process.memory_full_info().pss / 1e6,
    }


def _server_seconds() -> float:
    """Return the CPU seconds of PostgreSQL's sessions in the databases."""
    seconds = 0.0
    for process in psutil.process_iter(["cmdline"]):
        if f"{PREFIX}bench" in " ".join(process.info["cmdline"] or ()):
            seconds += sum(process.cpu_times()[:2])
    return seconds


def _starts(worlds: list[World], service: Process) -> dict[str, float]:
    """Measure one job in each of some idle databases, whose relays must start."""
    seconds = []
    for world in worlds:
        make_records(world, BACKLOG if world is worlds[0] else 1)
        wait_for_children(service, 0)
        seconds.append(_latency(world))
    return {"many_start_s": statistics.median(seconds), "many_start_most_s": max(seconds)}


def _busy(world: World, other: World) -> dict[str, float]:
    """Measure single jobs in a database with a relay, alone and beside another's backlog.

    Both use one service, in whose queue up to `--max-sent` requests of the backlog are before each.
    """
    _latency(other)
    alone = [_latency(other) for _ in range(LATENCIES)]
    make_jobs(world, BACKLOG)
    wait_until(lambda: world.states().get("done", 0) > 1)
    beside = [_latency(other) for _ in range(LATENCIES)]
    left = world.states().get("done", 0) < BACKLOG
    return {
        "many_busy_ms": 1000 * statistics.median(alone),
        "many_beside_backlog_s": max(beside),
        "many_beside_backlog_ms": 1000 * statistics.median(beside),
        "many_backlog_was_there": float(left),
    }


def _latency(world: World) -> float:
    """Return the seconds from the commit of a job to that of its result."""
    world.sql("UPDATE nameko_job_probe SET result = 0")
    done = world.states().get("done", 0)
    make_jobs(world, 1)
    began = time.perf_counter()
    while world.states().get("done", 0) <= done:
        time.sleep(0.005)  # the resolution: `wait_until` looks every 0.2 s
    return time.perf_counter() - began
