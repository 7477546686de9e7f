"""The faults that `make chaos` causes in its programs, and the restarts that mend them."""

# ruff: noqa: S311  what is random here are accidents
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg2

from stack.ports import reserve
from stack.stack import broker_answers
from stack.supervision import Control
from tests.jobs.chaos.nonsense import send_nonsense
from tests.jobs.progress import Span
from tests.jobs.world import ODOO, World, odoo_options
from tests.processes import Forwarder, Process, listens
from tests.waiting import wait_until

SHORTEST_FREEZE = 30.0  # s
DELAYS = (3.0, 15.0)  # s for which a forwarder to the broker or the database is frozen
LOCKS = (2.0, 60.0)  # s
# While one of these lasts, nobody can finish a job.
CLOSING = ("way", "kill_broker", "restart_broker", "kill_database", "restart_database")
LOCKED = 10  # records
LOCK = """
    SELECT 1 FROM nameko_job_probe
     WHERE id IN (SELECT res_id FROM nameko_job WHERE state IN ('pending', 'sent')
                  ORDER BY random() LIMIT %s)
       FOR UPDATE SKIP LOCKED
"""
ANSWER_SECONDS = 120.0  # for a broker or database to answer again


@dataclass
class Lasting:
    """A fault that lasts for a while. what: its kind; only one of each kind at a time."""

    what: str
    since: float
    until: float
    end: Callable[[], object]


class Faults:
    """The faults, and their targets: relays, services with and without our container, Odoo."""

    def __init__(self, world: World, longest_freeze: float) -> None:
        self.world = world
        self.longest_freeze = longest_freeze
        self.longest = 0.0  # s that the longest fault took
        self.happened: Counter[str] = Counter()
        self.timeline: list[tuple[float, float, str]] = []  # when a fault began, when it ended
        self._lasting: list[Lasting] = []
        self._control = Control(os.environ["STACK_SUPERVISOR_URL"])
        self.broker_way = Forwarder(world.vhost.port)
        self.database_way = Forwarder(int(os.environ["PGPORT"]))
        self._around: dict[str, Any] = {"AMQP_URI": world.vhost.uri(self.broker_way.port)}
        self.relays = [self._start_relay(wait=True) for _ in range(2)]
        self.services = [self._start_contained(wait=True) for _ in range(2)]
        self.plain_services = [self._start_plain(wait=True)]
        self.rogues = [self._start_rogue(wait=True)]
        self.port = reserve()
        self.odoo = self._start_odoo()
        wait_until(lambda: listens(self.port), what="Odoo")

    # The programs

    def _start_relay(self, *, wait: bool = False) -> Process:
        way = {**self._around, "PGPORT": str(self.database_way.port)}
        return self.world.start_relay(wait=wait, **way)

    def _start_contained(self, *, wait: bool = False) -> Process:
        return self.world.start_service(wait=wait, contained=True, **self._around)

    def _start_plain(self, *, wait: bool = False) -> Process:
        return self.world.start_service(wait=wait, name="plain_probe", **self._around)

    def _start_rogue(self, *, wait: bool = False) -> Process:
        return self.world.start_rogue(wait=wait, **self._around)

    def _start_odoo(self) -> Process:
        command = [*ODOO, "server", *odoo_options(), "--workers=2", "--max-cron-threads=0"]
        ports = [f"--http-port={self.port}", f"--gevent-port={reserve()}"]
        return self.world.start("odoo", [*command, *ports, f"--db-filter=^{self.world.database}$"])

    def mend(self) -> None:
        """End what has lasted long enough, and start again what has died, as a supervisor does."""
        now = time.monotonic()
        for fault in [each for each in self._lasting if each.until <= now]:
            self._end(fault)
        for programs, start in (
            (self.relays, self._start_relay),
            (self.services, self._start_contained),
            (self.plain_services, self._start_plain),
            (self.rogues, self._start_rogue),
        ):
            for number, program in enumerate(programs):
                if not program.is_alive():
                    programs[number] = start()
                    now = time.monotonic()
                    self.timeline.append((now, now, f"{program.name} started again"))
        if not self.odoo.is_alive():  # Odoo's master ends when it finds no database
            self.odoo = self._start_odoo()

    def _end(self, fault: Lasting) -> None:
        self._lasting.remove(fault)
        fault.end()
        self.timeline.append((fault.since, time.monotonic(), fault.what))

    def end(self) -> None:
        """End everything that lasts."""
        for fault in list(self._lasting):
            self._end(fault)

    def close(self) -> None:
        self.end()
        self.broker_way.kill()
        self.database_way.kill()

    def during(self, span: Span) -> list[str]:
        """Describe the faults in a span, in order, with seconds counted from its beginning."""
        return [
            f"{begin - span[0]:.0f} to {end - span[0]:.0f} s: {what}"
            for begin, end, what in sorted(self.timeline)
            if end >= span[0] and begin <= span[1]
        ]

    def open_seconds(self, span: Span) -> float:
        """Return for how many seconds of a span both broker and database could be reached."""
        seconds, now = 0.0, span[0]
        for begin, end, what in sorted(self.timeline):
            if what in CLOSING and end > now and begin < span[1]:
                seconds += max(0.0, begin - now)
                now = end
        return seconds + max(0.0, span[1] - now)

    def _lasts(self, what: str, seconds: float, end: Callable[[], object]) -> None:
        now = time.monotonic()
        self._lasting.append(Lasting(what, now, now + seconds, end))
        self.longest = max(self.longest, seconds)

    # What happens

    def strike(self) -> None:
        """Cause a random fault; those of the broker and the database are less likely."""
        weights = {
            self.kill_relay: 6,
            self.kill_service: 4,
            self.kill_odoo_worker: 4,
            self.freeze_relay: 4,
            self.freeze_service: 4,
            self.lock_records: 4,
            self.nonsense: 4,
            self.cut_a_way: 2,
            self.delay_a_way: 2,
            self.swallow_a_way: 2,
            self.kill_broker: 1,
            self.restart_broker: 1,
            self.kill_database: 1,
            self.restart_database: 1,
        }
        (fault,) = random.choices(list(weights), list(weights.values()))
        started = time.monotonic()
        fault()
        ended = time.monotonic()
        self.longest = max(self.longest, ended - started)
        self.happened[fault.__name__] += 1
        self.timeline.append((started, ended, fault.__name__))

    def kill_relay(self) -> None:
        random.choice(self.relays).kill()

    def kill_service(self) -> None:
        random.choice([*self.services, *self.plain_services, *self.rogues]).kill()

    def kill_odoo_worker(self) -> None:
        with suppress(psutil.NoSuchProcess):
            workers = psutil.Process(self.odoo.pid).children()
            if workers:
                random.choice(workers).kill()

    def freeze_relay(self) -> None:
        """Freeze one relay; the other one works meanwhile."""
        self._freeze("relay", random.choice(self.relays))

    def freeze_service(self) -> None:
        self._freeze("service", random.choice(self.services))

    def _freeze(self, what: str, program: Process) -> None:
        if any(each.what == what for each in self._lasting) or not program.is_alive():
            return
        program.signal(signal.SIGSTOP)
        seconds = random.uniform(min(SHORTEST_FREEZE, self.longest_freeze), self.longest_freeze)
        self._lasts(what, seconds, lambda: program.signal(signal.SIGCONT))

    def lock_records(self) -> None:
        """Lock some records for a while, as a long transaction does."""
        with suppress(psycopg2.Error):
            connection = psycopg2.connect(dbname=self.world.database, connect_timeout=5)
            with connection.cursor() as cursor:
                cursor.execute(LOCK, [LOCKED])
                self.happened["records locked"] += cursor.rowcount
            self._lasts("locks", random.uniform(*LOCKS), connection.close)

    def nonsense(self) -> None:
        """Send malformed messages to the queues that the relay and the services consume."""
        with suppress(OSError):
            send_nonsense(self.world)

    def cut_a_way(self) -> None:
        self._a_way().cut()

    def swallow_a_way(self) -> None:
        self._a_way().forget_connections()

    def delay_a_way(self) -> None:
        way = self._a_way()
        if not any(each.what == "way" for each in self._lasting):
            way.freeze()
            self._lasts("way", random.uniform(*DELAYS), way.thaw)

    def _a_way(self) -> Forwarder:
        return random.choice((self.broker_way, self.database_way))

    def kill_broker(self) -> None:
        killed = self._control.pid("rabbitmq")
        self._control.signal("rabbitmq", "KILL")
        wait_until(lambda: self._control.pid("rabbitmq") != killed)
        self._wait_for_broker()

    def restart_broker(self) -> None:
        self._control.stop("rabbitmq")
        self._wait_for_broker()

    def _wait_for_broker(self) -> None:
        self._control.start("rabbitmq")
        wait_until(lambda: broker_answers(os.environ), seconds=ANSWER_SECONDS)

    def kill_database(self) -> None:
        killed = self._control.pid("postgres")
        self._control.signal("postgres", "KILL")
        wait_until(lambda: self._control.pid("postgres") != killed)
        self.wait_for_database()

    def restart_database(self) -> None:
        self._control.stop("postgres")
        self.wait_for_database()

    def wait_for_database(self) -> None:
        """Start the database if it is down, and wait until it accepts connections."""

        def answers() -> bool:
            self._control.start("postgres")
            try:
                psycopg2.connect(dbname=self.world.database, connect_timeout=5).close()
            except psycopg2.OperationalError:
                return False
            return True

        wait_until(answers, seconds=ANSWER_SECONDS)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query; while the database is down, wait for it and try again."""
        while True:
            try:
                return self.world.sql(query)
            except psycopg2.OperationalError:
                self.wait_for_database()
