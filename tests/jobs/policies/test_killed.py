"""Limits hold when a relay is killed, also between publishing requests and noting that it has."""

import pytest

from tests.jobs.policies.counted import Counted
from tests.waiting import wait_until


@pytest.mark.breaks_connections
def test_jobs_of_a_killed_relay_keep_their_places(counted: Counted):
    """Nobody knows whether they run: no other job takes their places, and no attempt counts."""
    world = counted.world
    counted.policy(most_at_once=3)
    counted.close_gate()
    killed = counted.start_relay()
    with counted.held_after_publishing():
        world.make(9, method="count", max_attempts=1)
        counted.wait_for_runs(3)
        counted.kill(killed)
    counted.start_relay()
    counted.wait_until_recovered()
    counted.wait_for_rounds()
    assert world.states() == {"sent": 3, "pending": 6}
    assert world.sql("SELECT max(attempts) FROM nameko_job") == [(0,)]
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 9}
    assert counted.most_at_once() == 3
    assert len(counted.runs()) == 9


@pytest.mark.breaks_connections
def test_starts_of_a_killed_relay_count(counted: Counted):
    """Their jobs are ready again, but there is no room until the window is over."""
    world = counted.world
    counted.policy(rate=3, rate_unit="hour")
    counted.close_gate()
    killed = counted.start_relay()
    with counted.held_after_publishing():
        world.make(9, method="count")
        counted.wait_for_runs(3)
        counted.kill(killed)
    counted.start_relay()
    counted.wait_until_recovered()
    wait_until(lambda: world.states() == {"pending": 9})
    counted.wait_for_rounds()
    counted.open_gate()
    wait_until(lambda: world.states() == {"done": 3, "pending": 6})
    counted.wait_for_rounds()
    assert len(counted.runs()) == 3


@pytest.mark.breaks_connections
def test_relays_are_killed_at_any_moment(counted: Counted):
    world = counted.world
    counted.policy(most_at_once=3)
    relays = [counted.start_relay(), counted.start_relay()]
    world.make(60, method="count", timeout=30)
    for done in (5, 15, 25, 35):
        wait_until(lambda n=done: world.states().get("done", 0) >= n)
        counted.kill(relays.pop(0))
        relays.append(counted.start_relay())
    assert world.wait_until_finished() == {"done": 60}
    assert counted.most_at_once() <= 3
    assert world.hits() == {1: 60}
