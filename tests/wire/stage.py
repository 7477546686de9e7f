"""The programs of the trial (a relay, all services, a mail server), and normal work for them."""

import contextlib
import itertools
import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import psutil
from kombu.utils.url import parse_url

from stack.steps import say
from tests.jobs.world import World
from tests.processes import Process, nameko_run
from tests.services.mail.smtp_server import SmtpServer
from tests.waiting import wait_until
from tests.wire.answers import Answers
from tests.wire.messages import Target
from tests.wire.samples import MAIL, REPLIES, REQUESTS

SACRIFICED = 40  # jobs whose service never answers; the trial sends random replies to them
SINK = "rpc-sink"
LIVE_BEATS = 30  # that may wait at a time: the relay writes them every few seconds
SETTLE_SECONDS = 1.0
KEPT = (
    "mail.dead",
    "nameko_connector.dead-",
    "nameko.dead-",
    "nameko.dead.requests",
    SINK,
)  # where messages stay until a person handles them


class Stage:
    """The programs that no message may stop, and the normal work that they must still do."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.mail_server = SmtpServer()
        self.mail_server.start()
        self._folder = folder
        self.services = self._start_services()
        self.relay = world.start_relay()
        self.client = self._client()
        self.answers = Answers(world.amqp_uri)
        self.numbers = itertools.count()
        self.mails: list[str] = []
        self.problems: list[str] = []
        self._sacrifice()
        self._warm_up()

    def _start_services(self) -> Process:
        services = self.world.start(
            "services",
            nameko_run("services"),
            SMTP_HOST="127.0.0.1",
            SMTP_PORT=str(self.mail_server.port),
            IDEMPOTENCY_URL=f"sqlite:///{self._folder}/store",
            MAIL_RETRY_DELAYS="[0.5, 1]",
            HEARTBEAT_INTERVAL="0.5",
            COMPUTE_PROCESSES="1",
            METRICS_PORT="0",
        )
        for service in ("compute", "heartbeat", "mail", "mail_delivery", "notify"):
            services.wait_for_log(f"{service} is ready")
        return services

    def _client(self) -> Any:
        """Return a client as Odoo uses it for a user's calls."""
        from odoo.addons.nameko_connector.broker import BrokerConfig, Client  # noqa: PLC0415

        return Client(BrokerConfig(self.world.amqp_uri))

    def _call(self, service: str, method: str, *args: object) -> Any:
        from odoo.addons.nameko_connector.broker import Request  # noqa: PLC0415

        return self.client.call(Request(service, method, args), timeout=60)

    def _sacrifice(self) -> None:
        """Send jobs to a queue that nobody consumes; on half of them another job depends."""
        exchange = kombu.Exchange("nameko-rpc", "topic", durable=True)
        with kombu.Connection(self.world.amqp_uri) as connection:
            kombu.Queue(SINK, exchange, "sink.*", durable=True, channel=connection).declare()
        with self.world.env(user=2) as env:
            records = env["nameko.job.probe"].create([{"number": n} for n in range(SACRIFICED)])
            rpc = env["nameko.rpc"]
            jobs = [
                rpc.delay("sink", "anything", record=record, on_result="_on_text", timeout=7200)
                for record in records[::2]
            ]
            for job in jobs:
                rpc.delay("compute", "method", 1, after=job, results_as="arguments")
            jobs += [rpc.delay("sink", "anything", 1, timeout=7200) for _ in records[1::2]]
            self.sacrificed = [job.uuid for job in jobs]
        sent = "SELECT count(*) FROM nameko_job WHERE service = 'sink' AND state = 'sent'"
        wait_until(lambda: self.world.sql(sent) == [(SACRIFICED,)])

    def _warm_up(self) -> None:
        """Do each kind of work once, so that all connections are open."""
        self.call()
        self.mail()
        self.make_jobs(3)
        wait_until(lambda: self.done_jobs() == self.made_jobs())
        wait_until(self.sent_mails)
        wait_until(lambda: self.world.sql("SELECT 1 FROM nameko_instance WHERE state = 'up'"))
        self.beat = self._take_beat()
        self.connections = self._kept_connections()

    @property
    def programs(self) -> list[Process]:
        return [self.services, self.relay]

    def _take_beat(self) -> bytes:
        exchange = kombu.Exchange("heartbeat.events", "topic", durable=True)
        with kombu.Connection(self.world.amqp_uri) as connection:
            queue = kombu.Queue("", exchange, "beat", exclusive=True, channel=connection)
            queue.declare()
            body = wait_until(lambda: queue.get(no_ack=True)).body
            return body if isinstance(body, bytes) else body.encode()

    # Sane work

    def call(self) -> None:
        number = next(self.numbers)
        try:
            result = self._call("compute", "method", number, 1)
        except Exception as error:  # noqa: BLE001  what may not happen is reported
            self.complain(f"call {number} failed: {type(error).__name__}: {error}")
        else:
            if result != number + 1:
                self.complain(f"call {number} was answered {result!r}")

    def mail(self) -> None:
        subject = f"sane {uuid.uuid4().hex}"
        try:
            self._call("mail", "send", f"{subject[5:]}@example.com", subject, "contents")
        except Exception as error:  # noqa: BLE001
            self.complain(f"a mail was refused: {type(error).__name__}: {error}")
        else:
            self.mails.append(subject)

    def sent_mails(self) -> bool:
        subjects = Counter(str(mail["Subject"]) for mail in list(self.mail_server.accepted))
        return all(subjects[mail] == 1 for mail in self.mails)

    def make_jobs(self, count: int) -> None:
        self.world.make(count, method="method", service="compute", priority=9)

    def made_jobs(self) -> int:
        ((count,),) = self.world.sql(f"SELECT count(*) {SANE}")
        return int(count)

    def done_jobs(self) -> int:
        """Count the sane jobs that are done and whose record has had its result once."""
        written = "AND job.state = 'done' AND probe.hits = 1 AND probe.result = probe.number + 1"
        ((count,),) = self.world.sql(f"SELECT count(*) {SANE} {written}")
        return int(count)

    # What must not happen

    def complain(self, problem: str) -> None:
        """Print and keep a problem."""
        say(f"PROBLEM: {problem}")
        self.problems.append(problem)

    def look(self, after: str) -> bool:
        """Report what has exited or lost a connection; return whether all is well."""
        problem = self._restart_what_died() or self._lost_connections()
        if problem:
            self.complain(f"{problem} after {after}")
        return not problem

    def _restart_what_died(self) -> str:
        """Start again what has exited, so that the trial finds the next problem, too."""
        dead = [program.name for program in self.programs if not program.is_alive()]
        for name in dead:
            if name == "relay":
                self.relay = self.world.start_relay()
            else:
                with contextlib.suppress(AssertionError):  # it may die of the same message again
                    self.services = self._start_services()
        if dead:
            self.connections = self._kept_connections()
        return f"{dead[0]} has exited" if dead else ""

    def _lost_connections(self) -> str:
        """Describe which programs have lost connections since the last check."""
        lost = {
            program.name: self.connections[program.name] - amqp_ports(program)
            for program in self.programs
        }
        if any(lost.values()):
            self.connections = self._kept_connections()
        return ", ".join(
            f"{name} lost {len(gone)} connections" for name, gone in lost.items() if gone
        )

    def _kept_connections(self) -> dict[str, set[int]]:
        """Return the ports of each program's connections that stay open for SETTLE_SECONDS."""
        before = {program.name: amqp_ports(program) for program in self.programs}
        time.sleep(SETTLE_SECONDS)
        return {each.name: before[each.name] & amqp_ports(each) for each in self.programs}

    def queues(self) -> dict[str, dict[str, Any]]:
        """Return RabbitMQ's data of each queue, which are some seconds old."""
        return self.world.vhost.queues()

    def undrained(self) -> dict[str, int]:
        """Count the messages in each queue that should be empty in the end."""
        return {
            name: queue["messages"]
            for name, queue in self.queues().items()
            if queue.get("messages", 1) > (LIVE_BEATS if ".beats-" in name else 0)
            and not name.startswith(KEPT)
        }

    def close(self) -> None:
        self.client.close()
        self.answers.close()
        self.mail_server.stop()

    # Where messages can go

    def targets(self) -> list[Target]:
        """Find every queue and binding of the vhost, with real messages for each."""
        found = [
            Target("nameko-rpc", f"{service}.{method}", bodies, answers=self.answers.key)
            for service, methods in REQUESTS.items()
            for method, bodies in methods.items()
        ]
        for queue in self.queues():
            if queue not in (self.answers.key, SINK):
                found.append(self._target("", queue, queue))
        for binding in self.world.vhost.request("GET", f"bindings/{self.world.vhost.name}"):
            source, key, queue = (
                binding[each] for each in ("source", "routing_key", "destination")
            )
            if source and "*" not in key and queue != self.answers.key:
                found.append(self._target(source, key, queue))
        found.append(Target("nameko_jobs.events", "cancelled", self._cancelled()))
        return found

    def _target(self, exchange: str, key: str, queue: str) -> Target:
        """Return the target of a queue, with real messages for it; requests by default."""
        replies = [f"{each}{attempt}" for each in self.sacrificed for attempt in ("", ":1", ":2")]
        for start, samples, ids in (
            ("rpc.reply-odoo-", REPLIES, replies),
            ("nameko_connector.parked-", REPLIES, replies),
            ("rpc.reply-", REPLIES, ()),
            ("nameko_connector.progress-", self._progress(), ()),
            ("nameko_connector.beats-", [self.beat], ()),
            ("mail.", [MAIL], ()),
            ("evt-", self._cancelled(), ()),
        ):
            if queue.startswith(start):
                return Target(exchange, key, samples, ids)
        service = queue.removeprefix("rpc-")
        samples = [body for bodies in REQUESTS.get(service, {}).values() for body in bodies]
        return Target(exchange, key, samples or [b"{}"], answers=self.answers.key)

    def _progress(self) -> list[bytes]:
        return [json.dumps({"job": self.sacrificed[0], "progress": 0.5}).encode()]

    def _cancelled(self) -> list[bytes]:
        return [json.dumps({"job": self.sacrificed[0]}).encode()]


SANE = """
    FROM nameko_job job JOIN nameko_job_probe probe ON probe.id = job.res_id
    WHERE job.service = 'compute' AND job.priority = 9
"""


def amqp_ports(program: Process) -> set[int]:
    """Return the local ports of a program's connections to the broker; none if it has exited."""
    port = parse_url(os.environ["AMQP_URI"])["port"]
    try:
        connections = psutil.Process(program.pid).net_connections()
    except psutil.Error:
        return set()
    return {
        each.laddr.port
        for each in connections
        if each.status == psutil.CONN_ESTABLISHED and each.raddr.port == port
    }


@contextlib.contextmanager
def staged(world: World, folder: Path) -> Iterator[Stage]:
    stage = Stage(world, folder)
    try:
        yield stage
    finally:
        stage.close()
