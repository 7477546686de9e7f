"""Transactions that enqueue jobs with one identity key at the same time."""

import threading

import psycopg2.errors

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS

from tests.jobs.world import World
from tests.waiting import wait_until

KEY = {"identity_key": "quote:7", "unique_for": 3600}
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


def delay(world: World, *arguments: object, **options: object) -> tuple[str, int]:
    """Enqueue a job as Odoo does, which repeats a transaction after a conflict; count the tries."""
    for tries in range(1, 9):
        try:
            with world.env(user=2) as env:
                return env["nameko.rpc"].delay("a", "b", *arguments, **KEY, **options).uuid, tries
        except CONFLICTS:
            pass
    raise AssertionError("no end of conflicts")


def jobs(world: World) -> list[str]:
    return [uuid for (uuid,) in world.sql("SELECT uuid FROM nameko_job")]


def finish(world: World) -> None:
    world.sql(
        "UPDATE nameko_job SET state = 'done', is_ready = false, done_at = create_date"
        " WHERE state = 'pending'"
    )


def test_a_job_that_is_made_and_done_meanwhile_counts(world: World):
    """A transaction that began before does not see it."""
    before = world.env(user=2)
    env = before.__enter__()
    env.cr.execute("SELECT count(*) FROM nameko_job")
    uuid, _tries = delay(world)
    finish(world)
    try:
        env["nameko.rpc"].delay("a", "b", **KEY)
    except psycopg2.errors.SerializationFailure as error:
        assert before.__exit__(type(error), error, None) is not True  # noqa: PT017
    else:
        raise AssertionError("it has made a second job")
    assert delay(world) == (uuid, 1)
    assert jobs(world) == [uuid]


def test_a_transaction_waits_for_the_other(world: World):
    found: list[tuple[str, int]] = []
    thread = threading.Thread(target=lambda: found.append(delay(world)))
    with world.env(user=2) as env:
        uuid = env["nameko.rpc"].delay("a", "b", **KEY).uuid
        thread.start()
        wait_until(lambda: world.sql(BLOCKED, world.database) == [(1,)])
    thread.join()
    assert [each for each, _tries in found] == [uuid]
    assert jobs(world) == [uuid]


def test_many_threads_make_one(world: World):
    found: list[str] = []

    def make() -> None:
        for _ in range(10):
            found.append(delay(world)[0])
            finish(world)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 60
    assert set(found) == set(jobs(world))
    assert len(jobs(world)) == 1


def test_replaced_while_it_is_sent(world: World):
    """A job that a relay is about to mark as sent keeps its arguments."""
    from odoo.addons.nameko_connector.job_store import dispatch  # noqa: PLC0415
    from odoo.addons.nameko_connector.job_store.claiming.claim import Lane, claim  # noqa: PLC0415

    uuid, _tries = delay(world, 1)
    found: list[tuple[str, int]] = []
    thread = threading.Thread(target=lambda: found.append(delay(world, 2, on_match="replace")))
    with world.env() as env:
        (claimed,) = claim(env.cr, Lane("a", 1), 10**6, 10**6)
        thread.start()
        wait_until(lambda: world.sql(BLOCKED, world.database) == [(1,)])
        dispatch.mark_sent(env.cr, [claimed.id])
    thread.join()
    assert found == [(uuid, 2)]
    ((arguments, sendings),) = world.sql("SELECT arguments, sendings FROM nameko_job")
    assert (arguments, sendings) == ('{"args": [1], "kwargs": {}}', 1)
