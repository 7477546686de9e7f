"""Measures how open forms and lists that follow jobs slow the jobs down."""

import json
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import Path
from sys import executable
from tempfile import TemporaryDirectory

from tests.bench.jobs_world import (
    make_jobs,
    make_records,
    open_world,
    prepare,
    wait_until_idle,
)
from tests.jobs.world import ADDONS, World
from tests.odoo_process import OdooProcess, running_odoo
from tests.processes import Process
from tests.waiting import wait_until

Shown = tuple[int, float, float]  # a record, its result, and when a form showed it
RECORDS = 5_000  # each has a job in each round
FORMS, LISTS = 200, 20
VIEWER = "bench_viewer"  # the login, and the password
CONNECTIONS = 100  # of Odoo's websocket process to PostgreSQL: each view uses one for a moment
PER_SECOND = 1_000  # jobs that are created in steady rounds
AT_ONCE = 100  # jobs of one transaction
ROUND_SECONDS = 25  # twice with views and twice without, steady and at full speed
LAST_SECONDS = 5  # until the last results are shown
OPEN_SECONDS = 300  # that opening all views may take
LISTENING = "SELECT count(*) FROM nameko_live_viewer"
DONE = """
    SELECT res_id, done_at FROM nameko_job
     WHERE state = 'done' AND res_id = ANY(%s) ORDER BY res_id, id
"""


def measure() -> dict[str, float]:
    """Measure the rate of jobs with and without views, and how late a form shows a result.

    Jobs are created at 1,000 a second, and as fast as the machine can.
    """
    prepare()
    with open_world() as world:
        make_records(world, RECORDS)
        make_viewer(world)
        relay = world.start_relay()
        with running_odoo(
            world.database,
            workers=2,
            addons=[ADDONS],
            websocket_connections=CONNECTIONS,
            AMQP_URI=world.amqp_uri,
        ) as odoo:
            world.sql("DELETE FROM nameko_live_viewer")  # of an Odoo that was killed
            rounds = Rounds(world)
            rounds.rates(math.inf)  # to warm up
            alone, watched = Rates(), Rates()
            for _ in range(2):
                alone.add(rounds)
                with views(world, odoo) as shown:
                    watched.steady += rounds.rates(PER_SECOND)
                rounds.note(shown)
                with views(world, odoo):
                    watched.fastest += rounds.rates(math.inf)
        relay.terminate()
    return _figures(alone, watched, sorted(rounds.delays))


def _figures(alone: "Rates", watched: "Rates", delays: list[float]) -> dict[str, float]:
    median = statistics.median
    return {
        "live_cost": median(watched.steady) / median(alone.steady),
        "live_cost_at_full_speed": median(watched.fastest) / median(alone.fastest),
        "live_jobs_per_s": median(watched.steady),
        "live_jobs_per_s_at_full_speed": median(watched.fastest),
        "live_median_s": median(delays),
        "live_p95_s": delays[int(0.95 * len(delays))],
    }


def make_viewer(world: World) -> None:
    """Create a user for the views, who is not the user of the jobs."""
    with world.env() as env:
        if not env["res.users"].search([("login", "=", VIEWER)]):
            groups = env.ref("base.user_admin").group_ids.ids
            env["res.users"].create(
                {"name": "Viewer", "login": VIEWER, "password": VIEWER, "group_ids": groups}
            )


@dataclass
class Rates:
    """Jobs per second of rounds: with PER_SECOND created, and at full speed."""

    steady: list[float] = field(default_factory=list)
    fastest: list[float] = field(default_factory=list)

    def add(self, rounds: "Rounds") -> None:
        """Measure both."""
        self.steady += rounds.rates(PER_SECOND)
        self.fastest += rounds.rates(math.inf)


class Rounds:
    """Runs rounds of one job for each record; a result shows the round that it is from."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self.delays: list[float] = []  # s

    def rates(self, per_second: float) -> list[float]:
        """Return jobs per second by round, for ROUND_SECONDS. per_second: most jobs created."""
        rates = []
        until = time.perf_counter() + ROUND_SECONDS
        while time.perf_counter() < until:
            self._count += 1
            started = time.perf_counter()
            for first in range(0, RECORDS, AT_ONCE):
                time.sleep(max(0.0, started + first / per_second - time.perf_counter()))
                make_jobs(self._world, AT_ONCE, self._count, first)
            wait_until_idle(self._world)
            rates.append(RECORDS / (time.perf_counter() - started))
        return rates

    def note(self, shown: list[Shown]) -> None:
        """Add the seconds from each job's end until its form showed this or a later result."""
        numbers = dict(self._world.sql("SELECT id, number FROM nameko_job_probe"))
        views: dict[int, list[tuple[float, int]]] = {}
        for record, result, at in shown:
            views.setdefault(record, []).append((at, round(result) - numbers[record]))
        done: dict[int, list[float]] = {}
        for record, done_at in self._world.sql(DONE, [*views]):
            done.setdefault(record, []).append(done_at.replace(tzinfo=timezone.utc).timestamp())
        for record, each in views.items():
            opened, _ = each[0]
            for number, done_at in enumerate(done[record], 1):
                if done_at > opened:
                    showing = (at for at, count in each if count >= number)
                    self.delays.append(next(showing, math.inf) - done_at)


@contextmanager
def views(world: World, odoo: OdooProcess) -> Iterator[list[Shown]]:
    """Keep forms and lists open in the block; then fill the list with what the forms showed."""
    records = world.sql("SELECT id FROM nameko_job_probe ORDER BY random() LIMIT %s", FORMS)
    shown: list[Shown] = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "views"
        wanted = {
            "address": f"http://127.0.0.1:{odoo.port}",
            "websocket": f"ws://127.0.0.1:{odoo.websocket_port}",
            "database": world.database,
            "records": [record for (record,) in records],
            "lists": LISTS,
            "login": VIEWER,
        }
        file.write_text(json.dumps(wanted))
        viewers = Process("viewers", [executable, "-m", "tests.bench.viewers", file])
        viewers.wait_for_log("all views are open", seconds=OPEN_SECONDS)
        yield shown
        time.sleep(LAST_SECONDS)
        viewers.terminate()
        wait_until(lambda: world.sql(LISTENING) == [(0,)])
        shown += json.loads(file.read_text())
