"""Measures the time of a click and the records computed per second, also of other ways."""

import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from nameko.standalone.rpc import ClusterRpcProxy

from stack.steps import run_logged, say
from stack.web import WebClient
from tests.bench.calls import RawClient, raw_server
from tests.odoo_process import odoo_command, running_odoo

DATABASE = "nameko_bench"
ADDONS = Path(__file__).with_name("addons")
ROUNDS = 200  # each takes every way once, so that other load on the machine affects all of them
RECORDS = 10_000
SEED_RECORDS = 300  # the articles' loop would take minutes for as many as ours
BATCH_ROUNDS = 5
MODEL = "nameko.compute"


def measure() -> dict[str, float]:
    """Return figures by name, for a threaded Odoo and one with 4 workers (suffix `_prefork`).

    click_overhead_vs_kept_proxy: (our button - one that does nothing) / a call of a kept proxy.
    click_speedup_vs_seed: (the articles' button - nothing) / (ours - nothing).
    click_floor_vs_kept_proxy, click_floor_speedup_vs_seed: the same two for a button that only
    writes, and one raw AMQP round trip: what no client, however fast, could reach here.
    batch_speedup_vs_seed, batch_vs_orm: records/s of ours over the articles' loop's, and over bare
    ORM writes of the same results. Times are medians in ms, rates in records/s.
    """
    _create_database()
    figures: dict[str, float] = {}
    for suffix, workers in (("", 0), ("_prefork", 4)):
        with running_odoo(DATABASE, workers=workers, addons=[ADDONS]) as odoo:
            client = odoo.web_client()
            found = _clicks(client) | _batches(client)
        figures |= {name + suffix: value for name, value in found.items()}
    return figures


def _clicks(client: WebClient) -> dict[str, float]:
    record = client.save(MODEL, {"name": "Bench", "value": 99999, "other": 99999}, ["id"])["id"]
    uri = os.environ["AMQP_URI"]
    with ClusterRpcProxy({"AMQP_URI": uri}) as kept, raw_server(uri):
        ways: dict[str, Callable[[], object]] = {
            "nothing": lambda: client.click(MODEL, "action_nothing", [record]),
            "click": lambda: client.click(MODEL, "action_suma", [record]),
            "seed": lambda: client.click(MODEL, "action_seed", [record]),
            "write": lambda: client.click(MODEL, "action_write", [record]),
            "kept": lambda: kept.compute.method(99999, 99999),
            "raw": RawClient(uri).call,
        }
        times = time_in_turn(ways, ROUNDS)
    median = {way: statistics.median(each) for way, each in times.items()}
    click, seed = median["click"] - median["nothing"], median["seed"] - median["nothing"]
    floor = median["write"] - median["nothing"] + median["raw"]
    return {
        "nothing_ms": median["nothing"],
        "click_ms": median["click"],
        "click_p99_ms": statistics.quantiles(times["click"], n=100)[98],
        "seed_click_ms": median["seed"],
        "write_click_ms": median["write"],
        "kept_proxy_call_ms": median["kept"],
        "raw_amqp_call_ms": median["raw"],
        "click_overhead_vs_kept_proxy": click / median["kept"],
        "click_speedup_vs_seed": seed / click,
        "click_floor_vs_kept_proxy": floor / median["kept"],
        "click_floor_speedup_vs_seed": seed / floor,
    }


def _batches(client: WebClient) -> dict[str, float]:
    values = [{"value": number, "other": 1, "name": "Bench"} for number in range(RECORDS)]
    ids = client.call(MODEL, "create", values)
    rates: dict[str, list[float]] = {"action_suma": [], "action_seed": [], "action_write": []}
    for _ in range(BATCH_ROUNDS):
        for method, found in rates.items():
            chosen = ids[:SEED_RECORDS] if method == "action_seed" else ids
            client.call(MODEL, "write", ids, {"result": 0, "state": "draft"})
            started = time.perf_counter()
            client.click(MODEL, method, chosen)
            found.append(len(chosen) / (time.perf_counter() - started))
            _check(client, chosen)
    ours, seed, orm = (statistics.median(found) for found in rates.values())
    return {
        "batch_records_per_s": ours,
        "batch_seed_records_per_s": seed,
        "batch_orm_writes_per_s": orm,
        "batch_speedup_vs_seed": ours / seed,
        "batch_vs_orm": ours / orm,
    }


def _check(client: WebClient, ids: list[int]) -> None:
    """Assert that every record has its own sum."""
    records = client.call(MODEL, "read", ids, ["value", "other", "result"])
    assert all(record["result"] == record["value"] + record["other"] for record in records)


def time_in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return each way's times in ms; the first round warms up and does not count.

    The order is random in each round, because the broker and the services may still be busy with
    one way when the next one starts.
    """
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in random.sample(list(ways), len(ways)):
            found = _time_ms(ways[way])
            times[way] += [found] if number else []
    return times


def _time_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _create_database() -> None:
    say("    the benchmark's database ...")
    command = [*odoo_command(DATABASE, [ADDONS]), "-i", "nameko_bench", "-u", "nameko_connector"]
    run_logged([*command, "--stop-after-init", "--no-http"], "bench-install.log")
