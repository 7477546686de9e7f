"""Makes many calls while services are killed, the broker restarts and connections freeze.

    python -m tests.broker.soak [CALLS] [FAULT_EVERY_SECONDS]

It reports what must never happen: the reply to another call, an error that is no RpcError, a caller
that waits beyond its timeout, a request that ran although its error says that it cannot have run, a
result whose request never ran, a connection or queue that is left over, and growing memory.
"""

import contextlib
import itertools
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.broker.processes import Service
from tests.broker.rabbitmq import RabbitMQ, make_folder
from tests.broker.soak_caller import TIMEOUT, caller
from tests.processes import Forwarder, Process
from tests.vhosts import Vhost
from tests.waiting import wait_until

PROCESSES = 4
INSTANCES = 2
MOST_GROWTH = 10_000_000  # bytes that a process may grow by in the second half of its calls
GRACE = 2.0  # s that a call may take beyond its timeout, on a busy machine


@dataclass
class Report:
    """The result of a run; `problems` is empty if all is well."""

    calls: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    grown_bytes: int = 0  # in the second half, by the process that grew most
    memory: list[int] = field(default_factory=list)  # its bytes, every 500 calls
    problems: list[str] = field(default_factory=list)


# One of the calling processes: `python -m tests.broker.soak --caller URI CALLS SUMMARY_FILE`


# The faults


class Stage:
    """A broker, a forwarder before it, and instances of the service that are kept alive."""

    def __init__(self, rabbitmq: RabbitMQ, folder: Path) -> None:
        self.rabbitmq = rabbitmq
        self.vhost = Vhost(rabbitmq.amqp_uri, rabbitmq.management_uri)
        self.vhost.create()
        self.log = folder / "ran.log"
        self.log.touch()
        self.forwarder = Forwarder(rabbitmq.port)
        self._services = [self._start_service() for _ in range(INSTANCES)]

    def _start_service(self) -> Service:
        return Service(self.vhost, PROBE_LOG=str(self.log))

    def kill_a_service(self) -> None:
        number = random.randrange(INSTANCES)  # noqa: S311
        self._services[number].kill_process()
        self.revive_services()

    def kill_the_broker(self) -> None:
        self.rabbitmq.kill()
        self.rabbitmq.start()
        self.revive_services()

    def restart_the_broker(self) -> None:
        self.rabbitmq.stop()
        self.rabbitmq.start()
        self.revive_services()

    def freeze_connections(self) -> None:
        self.forwarder.freeze()
        time.sleep(TIMEOUT + 1)  # the fault itself: this long nothing passes
        self.forwarder.thaw()

    def forget_connections(self) -> None:
        self.forwarder.forget_connections()

    def revive_services(self) -> None:
        """Start services again that have exited because they could not send a reply."""
        for number, service in enumerate(self._services):
            if not service.is_alive():
                self._services[number] = self._start_service()

    def end(self) -> None:
        for service in self._services:
            service.kill_process()
        self.forwarder.kill()


def faults(stage: Stage) -> list[Callable[[], None]]:
    return [
        stage.kill_a_service,
        stage.forget_connections,
        stage.freeze_connections,
        stage.kill_a_service,
        stage.restart_the_broker,
        stage.kill_a_service,
        stage.kill_the_broker,
    ]


# The run


def soak(rabbitmq: RabbitMQ, calls: int, fault_every: float, *, grace: float = GRACE) -> Report:
    """Make so many calls from several threads of several processes amid faults.

    grace: seconds that a call may take beyond its timeout, on a busy machine
    """
    folder = make_folder()
    stage = Stage(rabbitmq, folder)
    report = Report()
    start = time.monotonic()
    try:
        callers = [Caller(stage, calls // PROCESSES, folder / f"p{n}") for n in range(PROCESSES)]
        _cause_faults(stage, callers, fault_every, report)
        report.seconds = time.monotonic() - start
        summaries = [each.summary() for each in callers]
        _add_up(summaries, report, grace)
        _compare_with_what_ran(summaries, stage.log, report)
        _count_what_is_left(stage, report)
    finally:
        stage.end()
        stage.vhost.delete()
        shutil.rmtree(folder)
    return report


class Caller(Process):
    """One of the calling processes."""

    def __init__(self, stage: Stage, calls: int, summary: Path) -> None:
        self._summary = summary
        uri = stage.vhost.uri(stage.forwarder.port)
        command = [sys.executable, "-m", "tests.broker.soak", "--caller", uri, str(calls)]
        super().__init__("caller", [*command, summary])

    def summary(self) -> dict[str, Any]:
        assert self._summary.exists(), self.output
        return dict(json.loads(self._summary.read_text()))


def _cause_faults(stage: Stage, callers: list[Caller], every: float, report: Report) -> None:
    """Cause one fault after the other, with `every` seconds between, until all calls are made."""
    for fault in itertools.cycle(faults(stage)):
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not any(each.is_alive() for each in callers), seconds=every)
            return
        report.faults[fault.__name__] += 1
        fault()
        stage.revive_services()


def _add_up(summaries: list[dict[str, Any]], report: Report, grace: float) -> None:
    for summary in summaries:
        report.outcomes.update(summary["outcomes"])
        report.problems.extend(summary["problems"])
    report.calls = sum(report.outcomes.values())
    report.longest = max(summary["longest"] for summary in summaries)
    report.memory = max((summary["memory"] for summary in summaries), key=_growth)
    report.grown_bytes = _growth(report.memory)
    if report.longest > TIMEOUT + grace:
        report.problems.append(f"a caller was held for {report.longest:.1f} s")
    if report.grown_bytes > MOST_GROWTH:
        report.problems.append(f"a process grew by {report.grown_bytes} bytes")


def _growth(memory: list[int]) -> int:
    """Return the growth in bytes from the middle to the end: by then there were some outages."""
    return memory[-1] - memory[len(memory) // 2]


def _compare_with_what_ran(summaries: list[dict[str, Any]], log: Path, report: Report) -> None:
    ran = set(log.read_text().split())
    for summary in summaries:
        report.problems += [f"{t} was never run" for t in summary["answered"] if t not in ran]
        report.problems += [f"{t} ran after all" for t in summary["certain"] if t in ran]


def _count_what_is_left(stage: Stage, report: Report) -> None:
    stage.forwarder.kill()  # ends the silently dead connections, too
    try:
        wait_until(lambda: not stage.vhost.client_connections())
        wait_until(lambda: not _our_queues(stage.vhost))
    except TimeoutError:
        left = stage.vhost.client_connections(), _our_queues(stage.vhost)
        report.problems.append(f"left at the broker: {left}")


def _our_queues(vhost: Vhost) -> list[str]:
    return [name for name in vhost.reply_queues() if "nameko_connector" in name]


def main(calls: int = 100_000, fault_every: float = 5.0) -> None:
    folder = make_folder()
    rabbitmq = RabbitMQ(folder)
    rabbitmq.start()
    try:
        report = soak(rabbitmq, calls, fault_every)
    finally:
        rabbitmq.shut_down()
        shutil.rmtree(folder)
    print(report)  # noqa: T201
    sys.exit(bool(report.problems))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--caller"]:
        caller(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main(*(kind(each) for kind, each in zip((int, float), sys.argv[1:], strict=False)))
