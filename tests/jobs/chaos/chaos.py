"""`make chaos`: tens of thousands of jobs, poison among them, amid faults of every kind.

Relays, services, Odoo's workers, PostgreSQL and the broker are killed, frozen and restarted at
random; records are locked; connections to the broker and the database are broken, frozen, or no
longer forwarded. At the end no job may be lost or stuck, each record must have had its result
exactly once, each poison job must have failed with its own error, and no time without progress may
be longer than the longest fault. Times when the broker or the database could not be reached do not
count, because several such faults can follow each other. It reports how many requests ran twice,
which `at least once` delivery allows.
"""

# ruff: noqa: S311  what is random here are accidents; what is put into SQL, constants
import argparse
import random
import time
from collections import Counter
from typing import Any

import requests

from stack.steps import say
from stack.web import OdooRefused, WebClient
from tests.jobs.chaos import poison
from tests.jobs.chaos.faults import Faults
from tests.jobs.progress import Progress
from tests.jobs.world import World, empty_world

BATCH = 1000  # jobs that one click makes
PAUSE = (1.0, 4.0)  # s between two faults, at least and at most
SHORT_DELAYS = {"timeout": 20, "retry_delays": "1", "max_attempts": 1000}
SLOW_SECONDS = 120.0  # a slow machine needs at most this to restart what was killed
LAST_SHARE = 20  # one job in so many is finished without further faults
FINISH_SECONDS = 1800.0


class Chaos:
    """The jobs of a run, its faults, and its measurement of progress."""

    def __init__(self, world: World, longest_freeze: float) -> None:
        self.world = world
        self.faults = Faults(world, longest_freeze)
        self.progress = Progress(world)

    def click(self, jobs: int = BATCH, *, poisoned: bool = True) -> None:
        """Create jobs through Odoo over HTTP; a request that fails was rolled back."""
        try:
            client = WebClient(f"http://127.0.0.1:{self.faults.port}")
            client.log_in(self.world.database, "admin", "admin")
            for service, count in (("probe", jobs * 3 // 4), ("plain_probe", jobs // 4)):
                client.call("nameko.job.probe", "make", count, self.made(), service)
            if poisoned:
                kinds = [kind.request() for kind in poison.POISONS]
                client.call("nameko.job.probe", "make_poison", kinds)
        except (OdooRefused, requests.RequestException):
            self.faults.happened["click that failed"] += 1

    def made(self) -> int:
        return self.faults.sql("SELECT count(*) FROM nameko_job_probe")[0][0]

    def unfinished(self) -> int:
        states = "SELECT count(*) FROM nameko_job WHERE state IN ('pending', 'sent')"
        return self.faults.sql(states)[0][0]

    def close(self) -> None:
        self.progress.close()
        self.faults.close()


def set_options(world: World) -> None:
    """Set short delays as the defaults of jobs, for those that are created over HTTP."""
    with world.env() as env:
        for name, value in SHORT_DELAYS.items():
            env["ir.config_parameter"].set_param(f"nameko_connector.job_{name}", value)


def rage(chaos: Chaos, jobs: int) -> None:
    """Create so many jobs, and let most of them finish amid faults."""
    faults = chaos.faults
    strike_at = time.monotonic() + 5
    while chaos.made() < jobs:
        chaos.click()
        if time.monotonic() > strike_at:
            faults.strike()
            strike_at = time.monotonic() + random.uniform(*PAUSE)
        faults.mend()
    say(f"{chaos.made()} jobs were made; faults so far: {dict(faults.happened)}")
    while chaos.unfinished() > jobs / LAST_SHARE:
        faults.strike()
        faults.mend()
        time.sleep(random.uniform(*PAUSE))  # the pace of the faults


def judge(chaos: Chaos, seconds: float = FINISH_SECONDS) -> list[str]:
    """Let all jobs finish, print a summary, and return what is wrong."""
    world, faults = chaos.world, chaos.faults
    finish(chaos, seconds)
    gaps = chaos.progress.close()
    longest = max(gaps, key=lambda span: span[1] - span[0])
    held = max(map(faults.open_seconds, gaps))
    good = dict(world.sql(f"SELECT job.state, count(*) {GOOD} GROUP BY 1"))
    hits = dict(world.sql(f"SELECT coalesce(probe.hits, 0), count(*) {GOOD} GROUP BY 1"))
    ((wrong,),) = world.sql(f"SELECT count(*) {GOOD} AND {WRONG}")
    total, ran = sum(good.values()), Counter(world.ran())
    say(f"faults: {dict(faults.happened)}; the longest took {faults.longest:.0f} s")
    say(f"good jobs: {good}; results a record has had: {hits}; wrong results: {wrong}")
    say(f"poison jobs: {dict(poison.summary(world))}")
    say(f"requests that ran: {ran.total()} for {total} jobs; jobs by runs: {by_runs(ran)}")
    say(f"longest time without progress while all could be reached: {held:.0f} s")
    say(f"longest time without progress: {longest[1] - longest[0]:.0f} s; what happened in it:")
    for line in faults.during(longest):
        say(f"    {line}")
    found = poison.problems(world)
    if good != {"done": total}:
        found.append(f"good jobs are not all done: {good}: {errors(world)}")
    if hits != {1: total} or wrong:
        found.append(f"results were lost, written twice or wrong: {hits}, {wrong} wrong")
    if held > max(faults.longest, SLOW_SECONDS):
        found.append(f"no progress for {held:.0f} s, the longest fault took {faults.longest:.0f} s")
    return found


def finish(chaos: Chaos, seconds: float) -> None:
    """Restart what is broken until all jobs have ended, or the time is over."""
    deadline = time.monotonic() + seconds
    while chaos.unfinished() and time.monotonic() < deadline:
        chaos.faults.mend()
        time.sleep(0.5)
    chaos.faults.end()


WRONG = "job.state = 'done' AND probe.result IS DISTINCT FROM probe.number + 1"
GOOD = """
    FROM nameko_job job JOIN nameko_job_probe probe ON probe.id = job.res_id
    WHERE probe.poison IS NULL
"""


def errors(world: World) -> list[tuple[Any, ...]]:
    return world.sql(
        f"SELECT job.service, job.error_type, job.error_message, count(*) {GOOD}"
        " AND job.state <> 'done' GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 5"
    )


def by_runs(ran: Counter[str]) -> dict[int, int]:
    """Return how many jobs ran once, twice and so on; after a fault, more than once is allowed."""
    return dict(sorted(Counter(ran.values()).items()))


def run(jobs: int, seed: int, longest_freeze: float) -> int:
    """Make and finish so many jobs amid faults; return the exit code."""
    random.seed(seed)
    with empty_world() as world:
        set_options(world)
        chaos = Chaos(world, longest_freeze)
        try:
            rage(chaos, jobs)
            found = judge(chaos)
        finally:
            chaos.close()
    for problem in found:
        say(f"PROBLEM: {problem}")
    verdict = "SOMETHING IS WRONG" if found else "nothing lost, written twice or held up"
    say(f"seed {seed}: {verdict}")
    return int(bool(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--longest-freeze", type=float, default=120.0, help="s, at least 30")
    options = parser.parse_args()
    say(f"seed {options.seed}")
    return run(options.jobs, options.seed, options.longest_freeze)
