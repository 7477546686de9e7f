"""Whatever somebody has locked holds up its own jobs, and no others."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from tests.jobs.world import World
from tests.waiting import wait_until

JOBS, LOCKED = 300, 10


@contextmanager
def locked(world: World, table: str, where: str) -> Iterator[None]:
    """Hold rows as somebody does who edits them and does not come to an end."""
    with psycopg2.connect(dbname=world.database) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} WHERE {where} FOR UPDATE")  # noqa: S608
        yield
        connection.rollback()
    connection.close()


def assert_others_go_on(world: World, stay: int = LOCKED) -> None:
    wait_until(lambda: world.states().get("done", 0) == JOBS - stay)
    world.make(JOBS)  # the next ones, too
    wait_until(lambda: world.states().get("done", 0) == 2 * JOBS - stay)
    assert world.states()["sent"] == stay


def test_locked_records(world: World):
    """Their jobs' last time to answer is over meanwhile: their answers count all the same."""
    world.start_service()
    ids = world.make(JOBS, timeout=6, max_attempts=1)
    with locked(world, "nameko_job_probe", f"id <= {ids[LOCKED - 1]}"):
        world.start_relay()
        assert_others_go_on(world)
        late = "SELECT count(*) FROM nameko_job WHERE state = 'sent' AND sent_at < now() AT TIME"
        late += " ZONE 'UTC' - interval '12 seconds'"
        wait_until(lambda: world.sql(late) == [(LOCKED,)])
    assert world.wait_until_finished() == {"done": 2 * JOBS}
    assert world.hits() == {1: 2 * JOBS}


def test_locked_record_of_a_result_field(served: World):
    options = {"on_result": None, "result_field": "result"}
    with served.env(user=2) as env:
        records = env["nameko.job.probe"].create([{"number": n} for n in range(JOBS)])
        env.cr.commit()
        with locked(served, "nameko_job_probe", f"id = {records[7].id}"):
            requests = [record._request("probe", "add", **options) for record in records]
            env["nameko.rpc"].delay_many(requests)
            env.cr.commit()
            wait_until(lambda: served.states() == {"done": JOBS - 1, "sent": 1})
    assert served.wait_until_finished() == {"done": JOBS}
    wrong = "SELECT count(*) FROM nameko_job_probe WHERE result <> number + 1"
    assert served.sql(wrong) == [(0,)]


def test_locked_jobs(world: World):
    world.start_service()
    world.make(JOBS)
    world.start_relay("--max-sent=100000")
    wait_until(lambda: world.states().get("done", 0) == JOBS)
    world.make(LOCKED, method="take_seconds")
    wait_until(lambda: world.states().get("sent", 0) == LOCKED)
    with locked(world, "nameko_job", "state = 'sent'"):
        wait_until(lambda: len(world.ran()) == JOBS + LOCKED)
        world.make(JOBS)
        wait_until(lambda: world.states().get("done", 0) == 2 * JOBS)
        assert world.states()["sent"] == LOCKED
    assert world.wait_until_finished() == {"done": 2 * JOBS + LOCKED}
    assert world.hits() == {1: 2 * JOBS + LOCKED}


def test_what_a_callback_writes_besides_is_locked(served: World):
    ids = served.make(LOCKED, on_result="_on_shared")
    served.wait_until_finished()
    served.sql("UPDATE nameko_job_probe SET shared_id = %s WHERE id <> %s", ids[0], ids[0])
    with locked(served, "nameko_job_probe", f"id = {ids[0]}"), served.env(user=2) as env:
        records = env["nameko.job.probe"].browse(ids[1:])
        requests = [r._request("probe", "add", on_result="_on_shared") for r in records]
        env["nameko.rpc"].delay_many(requests)
        env.cr.commit()
        served.make(JOBS)
        wait_until(lambda: served.states().get("done", 0) == LOCKED + JOBS)
        assert served.states()["sent"] == LOCKED - 1
    assert served.wait_until_finished() == {"done": 2 * LOCKED + JOBS - 1}
    assert served.sql("SELECT number FROM nameko_job_probe WHERE id = %s", ids[0]) == [(9,)]
