"""A relay that is frozen, as by SIGSTOP or with its machine, holds up what it has in hand alone."""

import signal
import time

import psycopg2
import pytest

from tests.jobs.world import BUILD, World
from tests.processes import Process
from tests.waiting import wait_until

JOBS = 1000
PREFETCH = 400  # replies that the broker gives to each relay, also to one that is frozen
FREED_SECONDS = 60  # in which PostgreSQL frees what a frozen relay has locked
STOPPED = "T"
NAME_OF_RELAY = """
    SELECT DISTINCT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND datname = current_database()
       AND starts_with(application_name, 'nameko_relay-')
"""


def is_frozen(relay: Process) -> bool:
    with open(f"/proc/{relay.pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == STOPPED


def freeze_while_writing(world: World, relay: Process) -> list[int]:
    """Have a relay stop in the middle of the transaction that writes 50 results."""
    with world.env(user=2) as env:
        records = env["nameko.job.probe"].create([{"number": n} for n in range(50)])
        requests = [record._request("probe", "add", on_result="_on_freeze") for record in records]
        env["nameko.rpc"].delay_many(requests[:1])
        env.cr.commit()
        world.wait_until_finished()
        records[40].is_refusing = True
        env.cr.commit()
        env["nameko.rpc"].delay_many(requests[1:])
        env.cr.commit()
    wait_until(lambda: is_frozen(relay))
    return list(records.ids)


def test_relay_frozen_in_the_middle_of_a_transaction(world: World):
    world.start_service()
    frozen = world.start_relay()
    ids = freeze_while_writing(world, frozen)
    world.start_relay()
    world.make(JOBS)
    wait_until(lambda: world.states().get("done", 0) >= JOBS - PREFETCH)
    assert_records_become_free(world, ids)
    # Its answers are nobody's, and their jobs not late, until the broker has them back.
    world.sql("UPDATE nameko_job SET deadline = now() AT TIME ZONE 'UTC' - interval '1 hour',"
              " attempts = max_attempts WHERE state = 'sent'")  # fmt: skip
    world.sql("UPDATE nameko_job_probe SET is_refusing = false")
    frozen.kill()
    assert world.wait_until_finished() == {"done": JOBS + 50}
    assert world.hits() == {1: JOBS + 50}


def assert_records_become_free(world: World, ids: list[int]) -> None:
    """Somebody who edits the records in the frozen relay's hands waits for a while only."""
    with psycopg2.connect(dbname=world.database) as connection, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = %s", [f"{FREED_SECONDS}s"])
        cursor.execute("UPDATE nameko_job_probe SET text = 'edited' WHERE id = ANY(%s)", [ids])
    connection.close()


@pytest.mark.breaks_connections
def test_relay_frozen_at_any_moment_goes_on_when_it_may(world: World):
    """The second one does the others' work at once; no result is written twice."""
    world.start_service()
    frozen, count = world.start_relay(), 0
    second = world.start_relay(f"--alive-file={BUILD / 'second.alive'}")
    for moment in (0.02, 0.1, 0.3):
        world.make(JOBS)
        time.sleep(moment)  # each freezes it at other work
        frozen.signal(signal.SIGSTOP)
        before = world.states().get("done", 0)
        world.make(JOBS)
        count += 2 * JOBS
        wait_until(lambda b=before: world.states().get("done", 0) >= b + JOBS / 2)
        frozen.signal(signal.SIGCONT)
        assert world.wait_until_finished() == {"done": count}
    assert world.hits() == {1: count}
    assert second.is_alive()


@pytest.mark.breaks_connections
def test_scheduled_action_takes_over_from_a_frozen_relay(world: World):
    relay = world.start_relay()
    ((name,),) = world.sql(NAME_OF_RELAY)
    relay.signal(signal.SIGSTOP)
    with world.env() as env:
        assert env["nameko.job"]._relay_runs()

    def runs() -> bool:
        with world.env() as env:
            return bool(env["nameko.job"]._relay_runs())

    wait_until(lambda: not runs())
    from odoo.addons.nameko_connector.job_store.relays import end_frozen_relays  # noqa: PLC0415

    with world.env() as env:
        end_frozen_relays(env.cr)
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    wait_until(lambda: world.sql(sessions, name) == [(0,)])
    relay.signal(signal.SIGCONT)
    wait_until(runs)
