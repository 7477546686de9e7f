"""A world in which the service counts how many jobs run at once, and notes when each started."""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.jobs.world import BUILD, World
from tests.processes import Process
from tests.waiting import wait_until

# Keeps a relay for some seconds in the transaction that claims jobs under a limit, or between
# publishing them and writing that it has.
HOLD = """
    CREATE FUNCTION hold_relay() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(3); RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER hold_relay BEFORE {event} ON nameko_policy_start FOR EACH ROW
      WHEN ({row}.session IS NOT NULL) EXECUTE FUNCTION hold_relay()
"""
RELEASE = "DROP TRIGGER hold_relay ON nameko_policy_start; DROP FUNCTION hold_relay"


class Run(NamedTuple):
    """A run of `probe.count`, as the service has logged it."""

    value: int
    running: int  # how many ran then, this one included
    at: float


class Counted:
    """A world whose service `probe` counts, and its relays."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._gate = Path(f"{world.probe_file}.closed")
        self._alive: dict[Process, Path] = {}

    def start_relay(self) -> Process:
        alive = BUILD / f"{uuid.uuid4().hex[:8]}.alive"
        relay = self.world.start_relay(f"--alive-file={alive}")
        self._alive[relay] = alive
        return relay

    def kill(self, relay: Process) -> None:
        relay.kill()
        del self._alive[relay]

    def wait_for_rounds(self, count: int = 3) -> None:
        """Wait until each relay has looked at its clock, and so for jobs to send, so many times."""
        for _ in range(count):
            before = {file: file.stat().st_mtime_ns for file in self._alive.values()}
            wait_until(
                lambda b=before: all(file.stat().st_mtime_ns > b[file] for file in b),  # type: ignore[misc]
                what="a round of each relay",
            )

    def close_gate(self) -> None:
        """Have jobs run until the gate opens."""
        self._gate.touch()

    def open_gate(self) -> None:
        self._gate.unlink(missing_ok=True)

    def policy(self, service: str = "probe", **values: Any) -> int:
        """Create a policy, and return its id."""
        with self.world.env() as env:
            return int(env["nameko.policy"].create({"service": service, **values}).id)

    def write(self, policy: int, **values: Any) -> None:
        with self.world.env() as env:
            env["nameko.policy"].browse(policy).write(values)

    def runs(self) -> list[Run]:
        """Return what the service has logged, in order."""
        rows = (line.split(":") for line in self.world.ran() if line.count(":") == 2)
        return [Run(int(value), int(running), float(at)) for value, running, at in rows]

    def most_at_once(self) -> int:
        return max((run.running for run in self.runs()), default=0)

    def wait_for_runs(self, count: int) -> None:
        wait_until(lambda: len(self.runs()) >= count, what=f"{count} runs of the service")

    def held_while_claiming(self) -> AbstractContextManager[None]:
        """Keep relays for seconds in the transaction that claims jobs under a limit."""
        return self._held("INSERT", "NEW")

    def held_after_publishing(self) -> AbstractContextManager[None]:
        """Keep relays for seconds between publishing and writing that they have published."""
        return self._held("DELETE", "OLD")

    @contextmanager
    def _held(self, event: str, row: str) -> Iterator[None]:
        self.world.sql(HOLD.format(event=event, row=row))
        try:
            yield
        finally:
            self.world.sql(RELEASE)

    def wait_until_recovered(self) -> None:
        """Wait until a relay has looked after the starts of those that were killed."""
        left = "SELECT count(*) FROM nameko_policy_start WHERE session IS NOT NULL"
        wait_until(lambda: self.world.sql(left) == [(0,)], what="the starts to be recovered")


def most_in_a_window(moments: Sequence[float], seconds: float) -> int:
    """Return how many of these moments are in one window of this length, at most."""
    ordered = sorted(moments)
    return max(
        bisect_left(ordered, first + seconds) - number for number, first in enumerate(ordered)
    )
