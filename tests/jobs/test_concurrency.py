"""Several relays, records in use, and jobs that wait for others."""

import psycopg2
import psycopg2.errors

from tests.jobs.world import World
from tests.waiting import wait_until


def test_several_relays_share_the_work(world: World):
    for _ in range(3):
        world.start_relay()
    world.start_service()
    for _ in range(5):
        world.make(200)
    assert world.wait_until_finished() == {"done": 1000}
    assert world.hits() == {1: 1000}
    assert len(world.ran()) == 1000


def test_conflict_on_the_record_is_retried(served: World):
    """Somebody else changes the records all the time, and is sometimes the one who must yield."""
    ids = served.make(100)
    with psycopg2.connect(dbname=served.database) as connection, connection.cursor() as cursor:
        while {"pending", "sent"} & served.states().keys():
            try:
                cursor.execute("UPDATE nameko_job_probe SET text = now() WHERE id = ANY(%s)", [ids])
                connection.commit()
            except psycopg2.errors.DeadlockDetected:
                connection.rollback()
    assert served.states() == {"done": 100}
    assert served.hits() == {1: 100}


def test_locked_record_gets_its_result_when_it_is_free(served: World):
    with psycopg2.connect(dbname=served.database) as connection, connection.cursor() as cursor:
        ids = served.make(50)
        cursor.execute("SELECT 1 FROM nameko_job_probe WHERE id = %s FOR UPDATE", [ids[7]])
        wait_until(lambda: served.states().get("done", 0) == 49, seconds=120)
        connection.commit()
    assert served.wait_until_finished() == {"done": 50}
    assert served.hits() == {1: 50}


def test_fan_out_and_combine(served: World):
    from odoo.addons.nameko_compute.job_request import JobOptions, JobRequest  # noqa: PLC0415

    with served.env(user=2) as env:
        rpc = env["nameko.rpc"]
        parts = rpc.delay_many([JobRequest("probe", "add", (n, n)) for n in range(100)])
        total = rpc.delay("probe", "total", extra=1, after=parts)
    assert served.wait_until_finished() == {"done": 101}
    with served.env(user=2) as env:
        assert total.with_env(env).get_result() == sum(2 * n for n in range(100)) + 1
    with served.env(user=2) as env:
        steps = [JobRequest("probe", "add", (1, 1))]
        steps += [JobRequest("probe", "add", (n,), {}, JobOptions()) for n in (10, 100)]
        last = env["nameko.rpc"].chain(*steps)[-1]
    assert served.wait_until_finished() == {"done": 104}
    with served.env(user=2) as env:
        assert last.with_env(env).get_result() == 112


def test_job_after_a_failed_one_fails_and_comes_back_with_it(served: World):
    with served.env(user=2) as env:
        rpc = env["nameko.rpc"]
        first = rpc.delay("probe", "fail_first", 1, 1)
        second = rpc.delay("probe", "add", 5, after=first, results_as="arguments")
    assert served.wait_until_finished() == {"failed": 2}
    with served.env(user=2) as env:
        assert second.with_env(env).error_type == "PredecessorFailed"
        first.with_env(env).action_retry()
    assert served.wait_until_finished() == {"done": 2}
    with served.env(user=2) as env:
        assert second.with_env(env).get_result() == 7


def test_slow_service_does_not_block_another(world: World):
    world.start_relay("--max-sent=5")
    world.start_rogue()
    world.start_service()
    world.make(50, method="never", service="rogue")
    wait_until(lambda: world.states().get("sent") == 5)
    world.make(50)
    wait_until(lambda: world.states().get("done") == 50)
    assert world.states() == {"sent": 5, "pending": 45, "done": 50}
