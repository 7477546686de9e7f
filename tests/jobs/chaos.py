"""`make chaos`: tens of thousands of jobs while everything that can die is killed at random.

At the end no job is lost or stuck, and each record has had its result exactly once. How many
requests ran twice is reported: that much `at least once` means.
"""

# ruff: noqa: S311  what is random here are accidents
import argparse
import os
import random
import signal
import sys
import time
from collections import Counter

import psutil
import psycopg2
import requests

from odoo.tools import config

from stack.ports import reserve
from stack.stack import broker_answers
from stack.steps import say
from stack.supervision import Control
from stack.web import OdooRefused, WebClient
from tests.jobs.world import Program, World, install, odoo_options
from tests.waiting import wait_until

BATCH = 1000  # jobs that one click makes
PAUSE = (1.0, 4.0)  # s between two faults
OPTIONS = {"timeout": 20, "retry_delays": "1", "max_attempts": 1000}


class Chaos:
    """Two relays, two services and an Odoo with workers, and what happens to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.control = Control(os.environ["STACK_SUPERVISOR_URL"])
        self.relays = [world.start_relay() for _ in range(2)]
        self.services = [world.start_service(contained=each) for each in (False, True)]
        self.port = reserve()
        self.odoo = self._start_odoo()
        self.faults: Counter[str] = Counter()

    def _start_odoo(self) -> Program:
        command = ["-m", "odoo", "server", *odoo_options(), "--workers=2", "--max-cron-threads=0"]
        ports = [f"--http-port={self.port}", f"--gevent-port={reserve()}"]
        return self.world.start("odoo", [*command, *ports, f"--db-filter=^{self.world.database}$"])

    # What dies

    def kill_relay(self) -> None:
        self._kill_one(self.relays)

    def kill_service(self) -> None:
        self._kill_one(self.services)

    def _kill_one(self, programs: list[Program]) -> None:
        program = random.choice(programs)
        if program.process.poll() is None:
            program.kill()

    def freeze_relay(self) -> None:
        relay = random.choice(self.relays)
        if relay.process.poll() is None:
            relay.signal(signal.SIGSTOP)
            time.sleep(random.uniform(0.5, 5))  # this is the fault, and nothing to await
            relay.signal(signal.SIGCONT)

    def kill_odoo_worker(self) -> None:
        workers = psutil.Process(self.odoo.process.pid).children()
        if workers:
            random.choice(workers).kill()

    def kill_broker(self) -> None:
        self.control.signal("rabbitmq", "KILL")
        wait_until(lambda: not broker_answers(os.environ), seconds=30)
        self.control.start("rabbitmq")
        wait_until(lambda: broker_answers(os.environ), seconds=90)

    def kill_database(self) -> None:
        self.control.signal("postgres", "KILL")
        self._wait_for_database()

    def _wait_for_database(self) -> None:
        def answers() -> bool:
            self.control.start("postgres")
            try:
                psycopg2.connect(dbname=self.world.database, connect_timeout=5).close()
            except psycopg2.OperationalError:
                return False
            return True

        wait_until(answers, seconds=90)

    def revive(self) -> None:
        """Do a supervisor's work: start again what has died."""
        for programs, start in (
            (self.relays, lambda: self.world.start_relay(wait=False)),
            (self.services, self._start_service),
        ):
            for number, program in enumerate(programs):
                if program.process.poll() is not None:
                    programs[number] = start()
        if self.odoo.process.poll() is not None:  # Odoo's master ends when it finds no database
            self.odoo = self._start_odoo()

    def _start_service(self) -> Program:
        return self.world.start_service(wait=False, contained=bool(random.getrandbits(1)))

    def strike(self) -> None:
        """Let something bad happen; the broker and the database die less often."""
        weights = {
            self.kill_relay: 6,
            self.kill_service: 6,
            self.kill_odoo_worker: 6,
            self.freeze_relay: 3,
            self.kill_broker: 1,
            self.kill_database: 1,
        }
        (fault,) = random.choices(list(weights), list(weights.values()))
        fault()
        self.faults[fault.__name__] += 1

    # What goes on meanwhile

    def click(self) -> None:
        """Have Odoo make jobs over HTTP; what is refused or dies has been rolled back."""
        try:
            client = WebClient(f"http://127.0.0.1:{self.port}")
            client.log_in(self.world.database, "admin", "admin")
            client.call("nameko.job.probe", "make", BATCH, self.made())
        except (OdooRefused, requests.RequestException):
            self.faults["click that failed"] += 1

    def made(self) -> int:
        try:
            return int(self.world.sql("SELECT count(*) FROM nameko_job_probe")[0][0])
        except psycopg2.OperationalError:
            self._wait_for_database()
            return 0


def run(jobs: int, seed: int) -> int:
    """Make and finish so many jobs amid faults; gives the exit code."""
    random.seed(seed)
    install()
    config.parse_config(odoo_options())
    world = World()
    world.open()
    world.empty()
    set_options(world)
    try:
        return _rage(Chaos(world), jobs)
    finally:
        world.close()


def set_options(world: World) -> None:
    """Short delays, for jobs that are made over HTTP with the defaults."""
    with world.env() as env:
        for name, value in OPTIONS.items():
            env["ir.config_parameter"].set_param(f"nameko_compute.job_{name}", value)


def _rage(chaos: Chaos, jobs: int) -> int:
    strike_at = time.monotonic() + 5
    while chaos.made() < jobs:
        chaos.click()
        if time.monotonic() > strike_at:
            chaos.strike()
            strike_at = time.monotonic() + random.uniform(*PAUSE)
        chaos.revive()
    say(f"{chaos.made()} jobs were made; faults so far: {dict(chaos.faults)}")
    while {"pending", "sent"} & chaos.world.states().keys():
        chaos.strike()
        chaos.revive()
        time.sleep(random.uniform(*PAUSE))  # the pace of the faults
        if sum(chaos.faults.values()) > jobs:  # hardly: more faults than jobs
            break
        if chaos.world.states().get("pending", 0) + chaos.world.states().get("sent", 0) < jobs / 20:
            break
    return _judge(chaos)


def _judge(chaos: Chaos) -> int:
    world = chaos.world
    chaos.revive()
    states = world.wait_until_finished(600)
    hits, ran = world.hits(), Counter(world.ran())
    total = sum(states.values())
    say(f"faults: {dict(chaos.faults)}")
    say(f"jobs: {states}; results a record has had: {hits}")
    say(f"requests that ran: {sum(ran.values())} for {total} jobs; jobs by runs: {by_runs(ran)}")
    ok = states == {"done": total} and hits == {1: total}
    say("nothing lost, each result written exactly once" if ok else "SOMETHING IS WRONG")
    return 0 if ok else 1


def by_runs(ran: Counter[str]) -> dict[int, int]:
    """How many jobs ran once, twice...: more than once after a fault, as `at least once` allows."""
    return dict(sorted(Counter(ran.values()).items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    say(f"seed {options.seed}")
    return run(options.jobs, options.seed)


if __name__ == "__main__":
    sys.exit(main())
