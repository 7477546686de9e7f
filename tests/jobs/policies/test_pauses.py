"""A pause stops new work at once, and ends by itself where it has an end."""

from datetime import timedelta

import pytest

from tests.jobs.policies.counted import Counted
from tests.waiting import wait_until


@pytest.mark.parametrize("method", [False, "add"])
def test_paused_jobs_wait_until_it_is_resumed(counted: Counted, method: str | bool):
    world = counted.world
    policy = counted.policy(method=method)
    counted.start_relay(), counted.start_relay()
    world.make(5)
    world.wait_until_finished()
    counted.write(policy, is_paused=True)
    world.make(5)
    counted.wait_for_rounds()
    assert world.states() == {"done": 5, "pending": 5}
    counted.write(policy, is_paused=False)
    assert world.wait_until_finished() == {"done": 10}


def test_paused_method_does_not_hold_up_the_others(counted: Counted):
    world = counted.world
    counted.policy(method="add", is_paused=True)
    counted.start_relay()
    world.make(50, method="add", priority=1)
    world.make(50, method="count", priority=100)
    wait_until(lambda: world.states() == {"pending": 50, "done": 50})


def test_what_is_sent_is_finished_during_a_pause(counted: Counted):
    world = counted.world
    policy = counted.policy(most_at_once=2)
    counted.start_relay()
    counted.close_gate()
    world.make(5, method="count")
    counted.wait_for_runs(2)
    counted.write(policy, is_paused=True)
    counted.open_gate()
    wait_until(lambda: world.states() == {"done": 2, "pending": 3})
    counted.wait_for_rounds()
    assert world.states() == {"done": 2, "pending": 3}


def test_pause_ends_by_itself(counted: Counted):
    world = counted.world
    with world.env() as env:
        end = env["nameko.policy"]._clock() + timedelta(seconds=4)
    policy = counted.policy(is_paused=True, pause_reason="tests", paused_until=end)
    counted.start_relay()
    world.make(5)
    assert world.wait_until_finished() == {"done": 5}
    assert world.sql("SELECT min(sent_at) >= %s FROM nameko_job", end) == [(True,)]
    row = "SELECT is_paused, pause_reason, paused_until FROM nameko_policy WHERE id = %s"
    wait_until(lambda: world.sql(row, policy) == [(False, None, None)])
