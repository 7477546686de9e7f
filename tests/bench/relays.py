"""Measures jobs with two relays, under a limit at a time, and with limit keys, beside one relay."""

import statistics
import time

from tests.bench.jobs_world import (
    JOBS,
    make_jobs,
    make_records,
    open_world,
    prepare,
    wait_until_idle,
)
from tests.jobs.world import World

ROUNDS = 3
AT_ONCE = 100
KEYS = 1_000


def measure() -> dict[str, float]:
    """Return jobs per second of each way, in turn, and their ratios."""
    prepare()
    with open_world() as world:
        make_records(world, JOBS)
        rounds = [_round(world) for _ in range(ROUNDS)]
    rates = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    alone = rates["relays_1_per_s"]
    return rates | {
        "relays_2_vs_1": rates["relays_2_per_s"] / alone,
        "limited_vs_free": rates["limited_per_s"] / alone,
        "keyed_vs_free": rates["keyed_per_s"] / alone,
    }


def _round(world: World) -> dict[str, float]:
    figures = {"relays_1_per_s": _rate(world), "relays_2_per_s": _rate(world, relays=2)}
    figures["keyed_per_s"] = _rate(world, keys=KEYS)
    with world.env() as env:
        env["nameko.policy"].create({"service": "bench_adder", "most_at_once": AT_ONCE})
    figures["limited_per_s"] = _rate(world)
    with world.env() as env:
        env["nameko.policy"].search([]).unlink()
    return figures


def _rate(world: World, relays: int = 1, keys: int = 0) -> float:
    """Return the jobs per second, from their creation to their results."""
    started = [world.start_relay() for _ in range(relays)]
    begin = time.perf_counter()
    make_jobs(world, JOBS, keys=keys)
    wait_until_idle(world)
    rate = JOBS / (time.perf_counter() - begin)
    for relay in started:
        relay.terminate()
    return rate
