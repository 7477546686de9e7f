"""The environment for tests of jobs: their own database, virtual host, services and relays."""

import functools
import os
import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from stack.database import content_digest
from stack.layout import BUILD as STACK
from stack.layout import CHECKOUT
from tests.databases import copy_installed, database_oid
from tests.processes import CONFIG, PLAIN_CONFIG, Process, nameko_run
from tests.vhosts import Vhost
from tests.waiting import PATIENCE, wait_until

HERE = Path(__file__).parent
BUILD = STACK / "jobs"
DATABASE = "nameko_jobs_test"
INSTALLED = BUILD / "installed"
INSTALL_SECONDS = 900
ADDONS = HERE / "addons"
SERVICES = {
    "probe": "probe_service",
    "plain_probe": "plain_probe_service:PlainProbeService",
}
ODOO = [sys.executable, "-m", "odoo"]
LOST = re.compile("The relay connects again|The catalogue of services waits")


def odoo_options(database: str = DATABASE) -> list[str]:
    """Return the options of Odoo's commands for the tests' addon, and a database, if named."""
    import configparser  # noqa: PLC0415

    parser = configparser.RawConfigParser()
    parser.read(os.environ["ODOO_RC"])
    paths = f"{parser['options']['addons_path']},{ADDONS}"
    named = ["-d", database] if database else []
    return ["-c", os.environ["ODOO_RC"], *named, f"--addons-path={paths}"]


class World:
    """The database, virtual host and programs of a test."""

    def __init__(self, database: str = DATABASE, fork: bool = False) -> None:
        """fork: whether relays and services start as forks, which is faster than from a shell."""
        self.database, self.fork = database, fork
        self.vhost = Vhost()
        self.probe_file = BUILD / f"{self.vhost.name}.ran"
        self.programs: list[Process] = []

    def open(self) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        self.probe_file.touch()
        self.vhost.create()

    def beside(self, database: str) -> "World":
        """Return a world with another database and the same broker and services."""
        other = World(database, self.fork)
        other.vhost, other.probe_file = self.vhost, self.probe_file
        return other

    def close(self) -> None:
        for program in self.programs:
            program.kill()
        self.vhost.delete()
        self.probe_file.unlink()

    @property
    def amqp_uri(self) -> str:
        return self.vhost.amqp_uri

    # Programs

    def start(
        self, name: str, command: Sequence[str | Path], fork: str = "", **environment: str
    ) -> Process:
        """Start a program in the environment of this world."""
        return self._start(name, command, environment, fork=fork)

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        fork: str = "",
    ) -> Process:
        everything = {
            "AMQP_URI": self.amqp_uri,
            "PROBE_FILE": str(self.probe_file),
            "PYTHONPATH": f"{HERE}:{CHECKOUT}",
            "PYTHONFAULTHANDLER": "1",
            **environment,
        }
        program = Process(name, command, everything, fork=fork)
        self.programs.append(program)
        return program

    def start_relay(self, *options: str, wait: bool = True, **environment: str) -> Process:
        """Start the relay of this database; of many, if PGDATABASE="" is in the environment."""
        alive = BUILD / f"{uuid.uuid4().hex[:8]}.alive"
        database = environment.get("PGDATABASE", self.database)
        command = ["nameko_relay", *odoo_options(database), f"--alive-file={alive}", *options]
        command = ["odoo", *command] if self.fork else [*ODOO, *command]
        fork = "odoo" if self.fork else ""
        program = self._start("relay", command, environment, fork=fork)
        if wait:
            program.wait_for_log("The relay serves")
        return program

    def start_service(
        self, wait: bool = True, contained: bool = False, name: str = "probe", **environment: str
    ) -> Process:
        """Start the probe as plain Nameko runs it, or in this project's container.

        name: of the service, "probe" or "plain_probe"
        """
        command = nameko_run(SERVICES[name], config=CONFIG if contained else PLAIN_CONFIG)
        program = self.start("service", command, "nameko" if self.fork else "", **environment)
        if wait:
            wait_until(lambda: self.vhost.consumers(f"rpc-{name}") > 0, what="the service")
        return program

    def start_rogue(self, wait: bool = True, **environment: str) -> Process:
        program = self.start("rogue", [sys.executable, HERE / "rogue_service.py"], **environment)
        if wait:
            program.wait_for_log("ready")
        return program

    # Questions

    @property
    def identity(self) -> str:
        """The part of the names of queues that identifies this database."""
        query = "SELECT split_part(value, '@', 1) FROM ir_config_parameter WHERE key = %s"
        ((name,),) = self.sql(query, "nameko_connector.database_identity")
        return str(name)

    @property
    def reply_queue(self) -> str:
        return f"rpc.reply-odoo-{self.identity}"

    def counted(self, figure: str, programs: Sequence[Process]) -> list[int]:
        """Return how many messages each program's channels have published or acked.

        figure: "publish" or "ack"; RabbitMQ updates it some seconds late
        """
        counts: Counter[int | None] = Counter()
        for channel in self.vhost.channels():
            # This is [] for a channel whose connection RabbitMQ does not know yet or any more.
            port = dict(channel.get("connection_details") or {}).get("peer_port")
            counts[port] += channel.get("message_stats", {}).get(figure, 0)
        return [sum(counts[port] for port in program.ports()) for program in programs]

    def reconnects(self) -> list[str]:
        """Return the relays' log lines about a connection that was lost and made again."""
        relays = [program for program in self.programs if program.name == "relay"]
        return [line for relay in relays for line in relay.lines if LOST.search(line)]

    def ran(self) -> list[str]:
        """Return the values that the service has worked on, in order."""
        return self.probe_file.read_text().split()

    @contextmanager
    def env(self, user: int = 1, **context: Any) -> Iterator[Any]:
        """Yield an environment of Odoo's in a new transaction, committed after the block."""
        from odoo import api  # noqa: PLC0415
        from odoo.modules.registry import Registry  # noqa: PLC0415

        with Registry(self.database).cursor() as cr:
            yield api.Environment(cr, user, context)

    def sql(self, query: str, *parameters: Any, **named: Any) -> list[tuple[Any, ...]]:
        with psycopg2.connect(dbname=self.database) as connection, connection.cursor() as cursor:
            cursor.execute(query, named or parameters or None)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def states(self) -> dict[str, int]:
        return dict(self.sql("SELECT state, count(*) FROM nameko_job GROUP BY state"))

    def wait_until_finished(self, seconds: float = PATIENCE) -> dict[str, int]:
        """Wait until no job is pending or sent."""
        wait_until(
            lambda: not {"pending", "sent"} & self.states().keys(),
            seconds=seconds,
            what=f"jobs to finish, which are {self.states()}",
        )
        return self.states()

    def hits(self) -> dict[int, int]:
        """Return how many records have received 0, 1, 2... results."""
        return dict(self.sql("SELECT coalesce(hits, 0), count(*) FROM nameko_job_probe GROUP BY 1"))

    def make(
        self, count: int, method: str = "add", service: str = "probe", **options: Any
    ) -> list[int]:
        """Create records with a job each, and commit; return the ids of the records."""
        with self.env(user=2) as env:
            records = env["nameko.job.probe"].create([{"number": n} for n in range(count)])
            requests_ = [r._request(service, method, **options) for r in records]
            env["nameko.rpc"].delay_many(requests_)
            return list(records.ids)

    def empty(self) -> None:
        """Delete all jobs, records, services and settings of earlier tests."""
        self.forget_jobs()
        self.sql("DELETE FROM nameko_route; DELETE FROM nameko_service")
        self.sql("DELETE FROM nameko_policy_start")
        with self.env() as env:
            env["ir.config_parameter"].search([("key", "=like", "nameko_connector.%")]).unlink()
            env["nameko.policy"].search([]).unlink()

    def forget_jobs(self) -> None:
        """Delete all jobs and their records."""
        self.sql("TRUNCATE nameko_job, nameko_job_probe, nameko_job_predecessor CASCADE")


@contextmanager
def empty_world() -> Iterator[World]:
    """Yield a world with an empty database, in a program that is no test."""
    from odoo.tools import config  # noqa: PLC0415

    install()
    config.parse_config(odoo_options())
    world = World()
    world.open()
    try:
        world.empty()
        yield world
    finally:
        world.close()


@functools.cache
def install() -> None:
    """Create the tests' database, or update it if an addon has changed, once in this process.

    :raises AssertionError: Odoo's installation failed
    """
    if not (INSTALLED.exists() and INSTALLED.read_text() == _state()):
        BUILD.mkdir(parents=True, exist_ok=True)
        INSTALLED.unlink(missing_ok=True)
        _install()
        INSTALLED.write_text(_state())


def _state() -> str:
    """Return a text that changes if the database needs an update: its cluster and addons."""
    files = content_digest(CHECKOUT / "odoo_addons") + content_digest(ADDONS)
    return f"{os.environ['PGHOST']}/{DATABASE} {files} {database_oid(DATABASE)}"


def _install() -> None:
    command = [*ODOO, "server", *odoo_options(), "--stop-after-init", "--no-http"]
    is_copy = database_oid(DATABASE) is None and copy_installed(DATABASE)
    modules = ["-i", "nameko_job_probe", *([] if is_copy else ["-u", "nameko_connector"])]
    program = Process("install", [*command, *modules])
    assert program.wait(INSTALL_SECONDS) == 0, program.output[-3000:]
    with psycopg2.connect(dbname=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE ir_cron SET active = false")  # each test starts what sends its jobs
