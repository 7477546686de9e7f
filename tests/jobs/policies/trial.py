"""`python -m tests.jobs.policies.trial 50000`: limits hold while relays are killed.

Of every three jobs, one is under a limit of 5 at a time, one under a rate of 500 a second, and one
has one of 50 limit keys. The service counts. Needs the stack: `python -m stack exec -- python ...`.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from stack.steps import say
from tests.jobs.policies.counted import Counted, most_in_a_window
from tests.jobs.world import World, empty_world
from tests.waiting import wait_until

KINDS = ("count", "add", "count_key")  # the method of a job, by the remainder of its number
AT_ONCE, A_SECOND, KEYS = 5, 500, 50
BATCH = 1_000  # jobs created in one transaction
KILL_SECONDS = 5.0  # between two kills, on an average
TIMEOUT = 60.0  # s; places of a killed relay are free after it
SENT_AT = """
    SELECT extract(epoch FROM sent_at AT TIME ZONE 'UTC')::float FROM nameko_job
     WHERE method = 'add'
"""


class Trial:
    """Makes the jobs, kills relays meanwhile, and judges what the service has counted."""

    def __init__(self, world: World, count: int) -> None:
        self.world, self.count = world, count
        self.counted = Counted(world)

    def run(self) -> list[str]:
        """Return what was wrong."""
        self.world.start_service(PROBE_KEYS=str(KEYS))
        self.counted.policy(method="count", most_at_once=AT_ONCE)
        self.counted.policy(method="add", rate=A_SECOND, rate_unit="second")
        for first in range(0, self.count, BATCH):
            self.make(range(first, min(self.count, first + BATCH)))
        say(f"{self.count} jobs are made")
        relays = [self.counted.start_relay(), self.counted.start_relay()]
        while not self.is_done_within(KILL_SECONDS * random.uniform(0.5, 1.5)):  # noqa: S311
            self.counted.kill(relays.pop(0))
            relays.append(self.counted.start_relay())
            say(f"a relay was killed: {self.world.states()}")
        return list(self.problems())

    def is_done_within(self, seconds: float) -> bool:
        """Wait until all jobs are done; return False if it takes longer."""
        with contextlib.suppress(TimeoutError):
            return wait_until(lambda: self.world.states().keys() == {"done"}, seconds=seconds)
        return False

    def make(self, numbers: range) -> None:
        """Enqueue a job for each number, and commit."""
        with self.world.env(user=2) as env:
            records = env["nameko.job.probe"].create([{"number": number} for number in numbers])
            env["nameko.rpc"].delay_many(
                [record._request("probe", **options_of(record.number)) for record in records]
            )

    def problems(self) -> Iterator[str]:
        if self.world.hits() != {1: self.count}:
            yield f"results written: {self.world.hits()}"
        runs = self.counted.runs()
        most = max(run.running for run in runs if KINDS[run.value % 3] == "count")
        if most > AT_ONCE:
            yield f"{most} ran at a time"
        most = max(run.running for run in runs if KINDS[run.value % 3] == "count_key")
        if most > 1:
            yield f"{most} with one key ran at a time"
        by_key: dict[int, list[int]] = defaultdict(list)
        for run in runs:
            if KINDS[run.value % 3] == "count_key":
                by_key[run.value % KEYS].append(run.value)
        for values in by_key.values():
            if values != sorted(set(values)):
                yield f"not in order, or twice: {values}"
        most = most_in_a_window([moment for (moment,) in self.world.sql(SENT_AT)], 1)
        if most > A_SECOND:
            yield f"{most} were sent within a second"


def options_of(number: int) -> dict[str, Any]:
    kind = KINDS[number % 3]
    key = {"limit_key": f"key-{number % KEYS}"} if kind == "count_key" else {}
    return {"method": kind, "timeout": TIMEOUT, **key}


def main() -> int:
    """Run a trial from the command line; return 1 if there were problems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=50_000)
    count = parser.parse_args().count
    started = time.monotonic()
    with empty_world() as world:
        problems = Trial(world, count).run()
    say(f"{count} jobs in {time.monotonic() - started:.0f} s")
    say("all limits held" if not problems else "\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
