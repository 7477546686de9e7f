"""What it costs that people look: jobs beside open forms and lists that follow them."""

import json
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timezone
from pathlib import Path
from sys import executable
from tempfile import TemporaryDirectory

from tests.bench.jobs_world import (
    JOBS,
    make_jobs,
    make_records,
    open_world,
    prepare,
    wait_until_idle,
)
from tests.jobs.world import ADDONS, World
from tests.odoo_process import OdooProcess, running_odoo
from tests.processes import Process

Shown = tuple[int, float, float]  # a record, its result, and when a form showed it
FORMS, LISTS = 200, 20
CONNECTIONS = 100  # to PostgreSQL, of Odoo's process of websockets: each has one a moment
ROUND_SECONDS = 30  # twice with views, and twice without
LAST_SECONDS = 5  # for the last results to be shown
OPEN_SECONDS = 300  # that opening all views may take
DONE = """
    SELECT res_id, done_at FROM nameko_job
     WHERE state = 'done' AND res_id = ANY(%s) ORDER BY res_id, id
"""


def measure() -> dict[str, float]:
    """The rate of jobs with views and without, and how long a form takes to show a result."""
    prepare()
    with open_world() as world:
        make_records(world, JOBS)
        relay = world.start_relay()
        with running_odoo(
            world.database,
            workers=2,
            addons=[ADDONS],
            websocket_connections=CONNECTIONS,
            AMQP_URI=world.amqp_uri,
        ) as odoo:
            rounds = Rounds(world)
            rounds.rates(1)  # to warm up
            alone, watched = [], []
            for _ in range(2):
                alone += rounds.rates(ROUND_SECONDS)
                with views(world, odoo) as shown:
                    watched += rounds.rates(ROUND_SECONDS)
                rounds.note(shown)
        relay.terminate()
    delays = sorted(rounds.delays)
    return {
        "jobs_alone_per_s": statistics.median(alone),
        "jobs_watched_per_s": statistics.median(watched),
        "live_cost": statistics.median(watched) / statistics.median(alone),
        "live_median_s": statistics.median(delays),
        "live_p95_s": delays[int(0.95 * len(delays))],
    }


class Rounds:
    """Rounds of a job for each record; the result tells from which round it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self.delays: list[float] = []  # s

    def rates(self, seconds: float) -> list[float]:
        """Jobs a second, round after round for so long."""
        rates = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._count += 1
            started = time.perf_counter()
            make_jobs(self._world, JOBS, self._count)
            wait_until_idle(self._world)
            rates.append(JOBS / (time.perf_counter() - started))
        return rates

    def note(self, shown: list[Shown]) -> None:
        """Add how long after each job the form of its record showed its result, or a later one."""
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
    """Have forms and lists open; fills in which record showed which result when at the end."""
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
        }
        file.write_text(json.dumps(wanted))
        viewers = Process("viewers", [executable, "-m", "tests.bench.viewers", file])
        viewers.wait_for_log("all views are open", seconds=OPEN_SECONDS)
        yield shown
        time.sleep(LAST_SECONDS)
        viewers.terminate()
        shown += json.loads(file.read_text())
