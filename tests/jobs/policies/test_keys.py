"""Jobs with a limit key run in order, so many at a time as allowed: counted by the service."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.jobs.policies.counted import Counted
from tests.waiting import wait_until

KEYS = 5  # of `probe.count_key`, which counts by the remainder of the value


def make(counted: Counted, numbers: range, **options: Any) -> None:
    """Enqueue a job for each number, whose key is the remainder."""
    with counted.world.env(user=2) as env:
        enqueue(env, numbers, **options)


def enqueue(env: Any, numbers: range, **options: Any) -> None:
    options = {"method": "count_key", **options}
    records = env["nameko.job.probe"].create([{"number": number} for number in numbers])
    env["nameko.rpc"].delay_many(
        [r._request("probe", limit_key=f"key-{r.number % KEYS}", **options) for r in records]
    )


def order_by_key(counted: Counted) -> dict[int, list[int]]:
    """Return the values of the runs with each key, in order."""
    found: dict[int, list[int]] = defaultdict(list)
    for run in counted.runs():
        found[run.value % KEYS].append(run.value)
    return found


def test_one_at_a_time_in_the_order_of_creation(counted: Counted):
    """Other keys, and jobs without a key, go on meanwhile."""
    world = counted.world
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    make(counted, range(40))
    counted.wait_for_runs(KEYS)
    world.make(10)
    wait_until(lambda: world.states() == {"sent": KEYS, "pending": 40 - KEYS, "done": 10})
    counted.wait_for_rounds()
    assert len(counted.runs()) == KEYS
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 50}
    assert counted.most_at_once() == 1
    assert order_by_key(counted) == {key: list(range(key, 40, KEYS)) for key in range(KEYS)}
    assert world.hits() == {1: 50}


def test_so_many_at_a_time_as_each_job_allows(counted: Counted):
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    make(counted, range(0, 60, KEYS), most_at_once=3)
    counted.wait_for_runs(3)
    counted.wait_for_rounds()
    assert counted.world.states() == {"sent": 3, "pending": 9}
    counted.open_gate()
    assert counted.world.wait_until_finished() == {"done": 12}
    assert counted.most_at_once() == 3


def test_job_that_is_committed_late_has_to_wait(counted: Counted):
    """It has a lower id than the one that runs."""
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    with counted.world.env(user=2) as env:
        enqueue(env, range(1))
        env.cr.flush()
        make(counted, range(5, 15, KEYS))
        counted.wait_for_runs(1)
    counted.wait_for_rounds()
    assert counted.world.states() == {"sent": 1, "pending": 2}
    counted.open_gate()
    assert counted.world.wait_until_finished() == {"done": 3}
    assert [run.value for run in counted.runs()] == [5, 0, 10]
    assert counted.most_at_once() == 1


def test_job_that_fails_or_is_retried(counted: Counted):
    """It keeps its turn until it has ended."""
    world = counted.world
    make(counted, range(0, 10, KEYS), method="fail_first", retry_on="*", retry_delays=[0.5])
    make(counted, range(1, 11, KEYS), method="fail", max_attempts=1)
    make(counted, range(11, 16, KEYS))
    counted.start_relay()
    assert world.wait_until_finished() == {"done": 3, "failed": 2}
    assert [value for value in world.ran() if ":" not in value] == ["0", "0", "5", "5"]


def test_cancelled_job_makes_room(counted: Counted):
    counted.start_relay()
    counted.close_gate()
    make(counted, range(0, 10, KEYS))
    counted.wait_for_runs(1)
    with counted.world.env() as env:
        env["nameko.job"].search([("state", "=", "sent")]).action_cancel()
    counted.wait_for_runs(2)


def test_later_job_holds_up_nobody(counted: Counted):
    """It takes its place when its time has come; a manager may change this time."""
    world = counted.world
    counted.start_relay()
    make(counted, range(1), eta=datetime.now() + timedelta(days=1))
    make(counted, range(5, 6))
    wait_until(lambda: world.states() == {"pending": 1, "done": 1})
    with world.env() as env:
        (job,) = env["nameko.job"].search([("state", "=", "pending")])
        env["nameko.job.reschedule"].create({"job_ids": [(6, 0, job.ids)]}).action_reschedule()
    assert world.wait_until_finished() == {"done": 2}


@pytest.mark.breaks_connections
def test_job_of_a_killed_relay_keeps_its_turn(counted: Counted):
    """Nobody knows whether it runs: the next one waits for its answer."""
    counted.close_gate()
    killed = counted.start_relay()
    with counted.held_after_publishing():
        make(counted, range(0, 15, KEYS))
        counted.wait_for_runs(1)
        counted.kill(killed)
    counted.start_relay()
    counted.wait_until_recovered()
    counted.wait_for_rounds()
    assert counted.world.states() == {"sent": 1, "pending": 2}
    counted.open_gate()
    assert counted.world.wait_until_finished() == {"done": 3}
    assert [run.value for run in counted.runs()] == [0, 5, 10]


@pytest.mark.breaks_connections
def test_relays_are_killed_at_any_moment_with_keys(counted: Counted):
    world = counted.world
    relays = [counted.start_relay(), counted.start_relay()]
    make(counted, range(100), timeout=30)
    for done in (10, 30, 50, 70):
        wait_until(lambda n=done: world.states().get("done", 0) >= n)
        counted.kill(relays.pop(0))
        relays.append(counted.start_relay())
    assert world.wait_until_finished() == {"done": 100}
    assert world.hits() == {1: 100}
    assert counted.most_at_once() == 1
