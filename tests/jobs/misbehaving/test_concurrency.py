"""Several relays, records in use, and jobs that wait for others."""

import contextlib
import re

import psycopg2
import psycopg2.errors

from stack.layout import LOGS
from tests.jobs.world import World
from tests.waiting import wait_until

CONFLICT = re.compile(
    "could not serialize access|deadlock detected|lock timeout|could not obtain lock"
)


def test_several_relays_share_the_work(world: World):
    relays = [world.start_relay() for _ in range(3)]
    world.start_service()
    made = 0

    def each_has_done_both() -> bool:
        nonlocal made
        made += len(world.make(200))
        world.wait_until_finished()
        published, acknowledged = (world.counted(what, relays) for what in ("publish", "ack"))
        return min(published) > 1 and min(acknowledged) > 0  # 1: to ask whether the broker takes it

    what = "each relay to publish requests and to take replies"
    wait_until(each_has_done_both, what=what)
    assert world.wait_until_finished() == {"done": made}
    assert world.hits() == {1: made}
    assert len(world.ran()) == made


def test_conflict_on_the_record_is_retried(served: World):
    """Somebody else changes the records all the time, and is sometimes the one who must yield."""
    before = conflicts()
    ids: list[int] = []

    def relay_has_met_one() -> bool:
        made = served.make(50)
        ids.extend(made)
        while {"pending", "sent"} & served.states().keys():
            change(served, made)
        return conflicts() > before

    wait_until(relay_has_met_one, what="a conflict, which PostgreSQL logs")
    assert served.states() == {"done": len(ids)}
    assert served.hits() == {1: len(ids)}


def change(world: World, ids: list[int]) -> None:
    connection = psycopg2.connect(dbname=world.database)
    with (
        contextlib.closing(connection),
        contextlib.suppress(psycopg2.errors.DeadlockDetected),
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE nameko_job_probe SET text = now() WHERE id = ANY(%s)", [ids])


def conflicts() -> int:
    """Count the statements that PostgreSQL has ended because of another transaction."""
    return len(CONFLICT.findall((LOGS / "postgres.log").read_text(errors="replace")))


def test_locked_record_gets_its_result_when_it_is_free(served: World):
    with psycopg2.connect(dbname=served.database) as connection, connection.cursor() as cursor:
        ids = served.make(50)
        cursor.execute("SELECT 1 FROM nameko_job_probe WHERE id = %s FOR UPDATE", [ids[7]])
        wait_until(lambda: served.states().get("done", 0) == 49)
        connection.commit()
    assert served.wait_until_finished() == {"done": 50}
    assert served.hits() == {1: 50}


def test_fan_out_and_combine(served: World):
    from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

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
