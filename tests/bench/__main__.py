"""The benchmark: `make bench` writes build/bench.json and docs/benchmarks.md."""

import json
import os
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version

import psycopg2
import requests

from stack.layout import CHECKOUT
from stack.steps import say, step
from tests.bench import calls, clicks, jobs, live, many, relays, services
from tests.bench.aims import AIMS, Aim
from tests.vhosts import new_vhost


def measure_calls() -> dict[str, float]:
    """Measure calls on a new virtual host."""
    with new_vhost() as vhost:
        return calls.measure(vhost.amqp_uri)


PARTS = {
    "calls": measure_calls,
    "clicks": clicks.measure,
    "services": services.measure,
    "jobs": jobs.measure,
    "relays": relays.measure,
    "live": live.measure,
    "many": many.measure,
}


def main(names: list[str]) -> None:
    """Run the named parts, or all, and write their figures."""
    figures: dict[str, float] = {}
    for name in names or PARTS:
        with step(name):
            figures |= PARTS[name]()
    path = CHECKOUT / "build" / "bench.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        say(f"{name:45} {value:12.3f}  {verdict(name, value)}")
    (CHECKOUT / "docs" / "benchmarks.md").write_text(page(figures))


def verdict(name: str, value: float) -> str:
    """Say whether a figure reaches its aim, where it has one."""
    aim = AIMS.get(name)
    return f"{'reached' if aim.reached(value) else 'MISSED'} ({aim.text})" if aim else ""


def page(figures: dict[str, float]) -> str:
    """Return the page for docs/ with the figures and the machine."""
    rows = [
        f"| `{name}` | {aim.what} | {aim.text} | {shown(figures, name, aim)} |"
        for name, aim in AIMS.items()
    ]
    others = [f"| `{n}` | {v:.2f} |" for n, v in figures.items() if n not in AIMS]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`, which repeats it all. Each ratio is between two things that",
            "the same run measured in turn on one machine; absolute times say more about that one.",
            "",
            *(f"- {line}" for line in machine()),
            "",
            "| figure | what | aim | measured |",
            "|---|---|---|---|",
            *rows,
            "",
            "Also measured (`_ms` medians and p99 in milliseconds, `_per_s` rates a second). The",
            "`click_floor_` figures are the clicks' for a button that only writes, and a raw AMQP",
            "round trip: no client, however fast, could do better.",
            "",
            "| figure | measured |",
            "|---|---|",
            *others,
            "",
        ]
    )  # fmt: skip


def shown(figures: dict[str, float], name: str, aim: Aim) -> str:
    """Return a figure for the page, marked where it misses its aim."""
    if name not in figures:
        return "not measured"
    value = f"{figures[name]:.2f}"
    return value if aim.reached(figures[name]) else f"**{value}, missed**"


def machine() -> list[str]:
    """Describe the machine and the versions of the programs."""
    with psycopg2.connect(dbname="postgres") as connection:
        postgres = connection.server_version // 10000
    overview = requests.get(f"{os.environ['RABBITMQ_MANAGEMENT_URI']}/api/overview", timeout=30)
    with open("/proc/cpuinfo") as cpuinfo:
        models = {line.partition(":")[2].strip() for line in cpuinfo if "model name" in line}
    return [
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {os.cpu_count()} cores ({', '.join(models)})",
        f"Python {platform.python_version()}, Odoo 19.0, PostgreSQL {postgres}, "
        f"RabbitMQ {overview.json()['rabbitmq_version']}",
        f"nameko {version('nameko')}, kombu {version('kombu')}, amqp {version('amqp')}",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
