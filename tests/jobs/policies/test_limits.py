"""Limits hold exactly with two relays: the service counts how many run, and notes when."""

import time

import psycopg2

from tests.jobs.policies.counted import Counted, most_in_a_window
from tests.waiting import wait_until

SENT_AT = """
    SELECT extract(epoch FROM sent_at AT TIME ZONE 'UTC')::float FROM nameko_job
     WHERE sent_at IS NOT NULL
     UNION ALL
    SELECT extract(epoch FROM sent_at AT TIME ZONE 'UTC')::float FROM nameko_job_attempt
     WHERE sent_at IS NOT NULL
"""


def moments_of_sending(counted: Counted) -> list[float]:
    return [moment for (moment,) in counted.world.sql(SENT_AT)]


def test_no_more_run_at_a_time_than_allowed(counted: Counted):
    world = counted.world
    counted.policy(most_at_once=3)
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    world.make(12, method="count")
    counted.wait_for_runs(3)
    counted.wait_for_rounds()
    assert world.states() == {"sent": 3, "pending": 9}
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 12}
    assert world.hits() == {1: 12}
    assert counted.most_at_once() == 3
    assert len(counted.runs()) == 12


def test_relays_do_not_count_at_the_same_time(counted: Counted):
    """One claims for seconds, and has not committed yet: the other has its turn after it."""
    world = counted.world
    counted.policy(most_at_once=3)
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    with counted.held_while_claiming():
        world.make(12, method="count")
        counted.wait_for_runs(3)
        counted.wait_for_rounds()
        assert world.states() == {"sent": 3, "pending": 9}
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 12}
    assert counted.most_at_once() == 3


def test_limited_method_does_not_hold_up_others(counted: Counted):
    world = counted.world
    counted.policy(method="count", most_at_once=2)
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    world.make(8, method="count", priority=1)
    world.make(20, method="add", priority=100)
    wait_until(lambda: world.states() == {"sent": 2, "pending": 6, "done": 20})
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 28}
    assert counted.most_at_once() == 2


def test_limits_of_a_service_and_its_method_hold_together(counted: Counted):
    world = counted.world
    counted.policy(most_at_once=4)
    counted.policy(method="count", most_at_once=1)
    counted.start_relay(), counted.start_relay()
    counted.close_gate()
    world.make(5, method="count", priority=1)
    world.make(5, method="add", priority=2)
    wait_until(lambda: world.states() == {"sent": 1, "pending": 4, "done": 5})
    world.make(5, method="take_seconds")
    sent = "SELECT method, count(*) FROM nameko_job WHERE state = 'sent' GROUP BY 1 ORDER BY 1"
    wait_until(lambda: world.sql(sent) == [("count", 1), ("take_seconds", 3)])
    counted.wait_for_rounds(1)
    assert sum(n for _method, n in world.sql(sent)) <= 4
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 15}
    assert counted.most_at_once() == 1


def test_no_more_start_in_a_window_than_allowed(counted: Counted):
    world = counted.world
    counted.policy(rate=5, rate_unit="second")
    counted.start_relay(), counted.start_relay()
    began = time.time()
    world.make(20, method="count")
    assert world.wait_until_finished() == {"done": 20}
    for number, run in enumerate(sorted(counted.runs(), key=lambda run: run.at), 1):
        assert number <= 5 * (1 + int(run.at - began))
    assert len(counted.runs()) == 20
    assert most_in_a_window(moments_of_sending(counted), 1) == 5


def test_retries_count_as_starts(counted: Counted):
    world = counted.world
    counted.policy(method="fail_first", rate=4, rate_unit="second")
    counted.start_relay(), counted.start_relay()
    world.make(6, method="fail_first", retry_on="*", retry_delays=[0])
    assert world.wait_until_finished() == {"done": 6}
    assert len(world.ran()) == len(moments_of_sending(counted)) == 12
    assert most_in_a_window(moments_of_sending(counted), 1) <= 4


def test_requests_that_cannot_be_sent_do_not_count(counted: Counted):
    world = counted.world
    counted.policy(service="nobody", rate=2, rate_unit="hour")
    counted.start_relay()
    world.make(6, service="nobody", max_attempts=1)
    assert world.wait_until_finished() == {"failed": 6}


def test_locked_policy_holds_up_only_its_own_jobs(counted: Counted):
    world = counted.world
    counted.policy(most_at_once=100)
    counted.policy(service="plain_probe", method="count", most_at_once=100)
    world.start_service(name="plain_probe")
    counted.start_relay()
    connection = psycopg2.connect(dbname=world.database)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM nameko_policy FOR UPDATE")
        world.make(5, method="add")
        world.make(5, method="count", service="plain_probe")
        world.make(5, method="add", service="plain_probe")
        wait_until(lambda: world.states() == {"pending": 10, "done": 5})
        counted.wait_for_rounds()
        assert world.states() == {"pending": 10, "done": 5}
    connection.close()
    assert world.wait_until_finished() == {"done": 15}


def test_change_of_a_limit_takes_effect_at_once(counted: Counted):
    world = counted.world
    policy = counted.policy(most_at_once=1)
    counted.start_relay()
    counted.close_gate()
    world.make(8, method="count")
    counted.wait_for_runs(1)
    counted.write(policy, most_at_once=4)
    wait_until(lambda: world.states() == {"sent": 4, "pending": 4})
    counted.write(policy, most_at_once=0)
    wait_until(lambda: world.states() == {"sent": 8})
    counted.open_gate()
    assert world.wait_until_finished() == {"done": 8}
