"""`python -m tests.wire.trial 20000`: messages of every kind to every queue and exchange.

Each message must end as a reply, a dead letter or a log line. It must not end a process or a
connection, nor be redelivered without limit, and normal work must go on meanwhile. Needs the stack:
`python -m stack exec -- python -m tests.wire.trial`.
"""

import argparse
import dataclasses
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from stack.steps import say
from tests.jobs.world import World, empty_world
from tests.waiting import wait_until
from tests.wire.messages import Target, Wire, messages
from tests.wire.raw import RawPublisher, Refused
from tests.wire.stage import Stage, staged

LOOK_EVERY, SAY_EVERY = 10, 1_000  # messages
CALL_EVERY, MAIL_EVERY, JOBS_EVERY, LARGE_EVERY, HUGE_EVERY = 25, 100, 100, 150, 2_000
JOBS = 10
MOST_REDELIVERIES = 25  # of a message, on an average
DRAIN_SECONDS = 240.0


@dataclasses.dataclass
class Report:
    """The result of a trial."""

    sent: int
    refused_by_the_broker: dict[str, int]
    to: dict[str, int]
    answered: int
    redelivered: int
    kept: dict[str, int]
    problems: list[str]


class Trial:
    """Sends messages, does normal work meanwhile, and checks that all is well."""

    def __init__(self, stage: Stage, *, stop_at_first: bool = False) -> None:
        self.stage = stage
        self.stop_at_first = stop_at_first
        self.publisher = RawPublisher(stage.world.amqp_uri)
        self.sent = 0
        self.refused: Counter[str] = Counter()  # by the broker's reason
        self.to: Counter[str] = Counter()
        self.expected: dict[str, Wire] = {}  # by correlation id
        self.recent: list[Wire] = []

    def run(self, targets: Sequence[Target], count: int, seed: int) -> None:
        """Send so many messages, the same ones for the same seed and targets."""

        @hypothesis.seed(seed)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(messages(targets))
        def send(message: Wire) -> None:
            if not (self.stop_at_first and self.stage.problems):
                self.send(message)

        while self.sent < count and not (self.stop_at_first and self.stage.problems):
            send()  # Hypothesis stops early when it knows no new messages

    def send(self, message: Wire) -> None:
        self.sent += 1
        message = self.enlarged(message)
        self.to[f"{message.exchange.decode()} {message.key.decode(errors='replace')[:60]}"] += 1
        self.recent = [*self.recent[1 - LOOK_EVERY :], message]
        try:
            self.publisher.publish(message.exchange, message.key, message.properties, message.body)
        except Refused as error:
            self.refused[str(error)[:50]] += 1
        else:
            if message.must_be_answered:
                self.expected[message.correlation_id] = message
        self.go_on()

    def enlarged(self, message: Wire) -> Wire:
        """Make some messages larger by 3 MB, and a few by 20 MB, more than most brokers accept."""
        if self.sent % HUGE_EVERY == HUGE_EVERY // 2:
            return dataclasses.replace(message, body=message.body + b" " * 20_000_000)
        if self.sent % LARGE_EVERY == LARGE_EVERY // 2:
            return dataclasses.replace(message, body=message.body + b"x" * 3_000_000)
        return message

    def go_on(self) -> None:
        """Do the normal work that is due after this message."""
        stage = self.stage
        for every, work in (
            (CALL_EVERY, stage.call),
            (MAIL_EVERY, stage.mail),
            (JOBS_EVERY, lambda: stage.make_jobs(JOBS)),
        ):
            if self.sent % every == 0:
                work()
        if self.sent % SAY_EVERY == 0:
            say(f"{self.sent} messages sent")
        if self.sent % LOOK_EVERY == 0:
            stage.look("one of these, or one before:\n  " + "\n  ".join(map(str, self.recent)))

    def finish(self) -> Report:
        """Wait until everything has been handled; return the report."""
        stage = self.stage
        say(f"{self.sent} messages sent; waiting until all is handled")
        self._await(lambda: stage.done_jobs() == stage.made_jobs(), self._undone_jobs)
        self._await(stage.sent_mails, lambda: "sane mails were not sent, or sent twice")
        self._await(lambda: not self._unanswered(), self._unanswered_texts)
        self._await(lambda: not stage.undrained(), lambda: f"not drained: {stage.undrained()}")
        stage.call()
        stage.look("the end")
        queues = stage.queues()
        redelivered = sum(
            queue.get("message_stats", {}).get("redeliver", 0) for queue in queues.values()
        )
        if redelivered > MOST_REDELIVERIES * self.sent:
            stage.complain(f"{redelivered} redeliveries of {self.sent} messages")
        kept = {name: queue["messages"] for name, queue in queues.items() if queue.get("messages")}
        answered = stage.answers.by_id.total()
        self.publisher.close()
        return Report(
            self.sent,
            dict(self.refused),
            dict(self.to),
            answered,
            redelivered,
            kept,
            stage.problems,
        )

    def _await(self, condition: Any, problem: Any) -> None:
        try:
            wait_until(condition, seconds=DRAIN_SECONDS)
        except TimeoutError:
            self.stage.complain(problem())

    def _unanswered(self) -> list[str]:
        answered = set(self.stage.answers.by_id)
        return [str(message) for each, message in self.expected.items() if each not in answered]

    def _unanswered_texts(self) -> str:
        texts = self._unanswered()
        return f"{len(texts)} are unanswered:\n  " + "\n  ".join(texts[:5])

    def _undone_jobs(self) -> str:
        states = self.stage.world.sql(
            "SELECT service, state, error_type, count(*) FROM nameko_job GROUP BY 1, 2, 3"
        )
        return f"sane jobs done: {self.stage.done_jobs()} of {self.stage.made_jobs()}: {states}"


def trial(world: World, count: int, seed: int, *, stop_at_first: bool = False) -> Report:
    """Send so many messages to a world with an empty database; return the report."""
    with tempfile.TemporaryDirectory() as folder, staged(world, Path(folder)) as stage:
        run = Trial(stage, stop_at_first=stop_at_first)
        run.run(stage.targets(), count, seed)
        return run.finish()


def main() -> int:
    """Run a trial from the command line; return 1 if there were problems."""
    options = _options()
    say(f"seed {options.seed}")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # what each SMTP client says
    started = time.monotonic()
    with empty_world() as world:
        report = trial(world, options.count, options.seed, stop_at_first=options.stop_at_first)
    say(f"{report.sent} messages in {time.monotonic() - started:.0f} s")
    _show(report)
    return int(bool(report.problems))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--stop-at-first", action="store_true", help="problem, which is shown")
    return parser.parse_args()


def _show(report: Report) -> None:
    say(f"the broker refused {sum(report.refused_by_the_broker.values())} of them")
    for reason, number in report.refused_by_the_broker.items():
        say(f"    {number:6} {reason!r}")
    say(f"{report.answered} answers; {report.redelivered} redeliveries")
    for target, number in sorted(report.to.items()):
        say(f"    {number:6} to {target}")
    say(f"kept: {report.kept}")
    say("nothing stopped it" if not report.problems else f"{len(report.problems)} problems")


if __name__ == "__main__":
    sys.exit(main())
