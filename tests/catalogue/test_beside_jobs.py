"""Whatever becomes of the catalogue, jobs go on."""

import json
import uuid

import psycopg2

from tests.catalogue.conftest import StartService
from tests.catalogue.test_rogue_beats import PIDS, Rogue, invented, rogue, start_listening
from tests.jobs.world import World
from tests.waiting import wait_until

__all__ = ["rogue"]
WAITS_FOR_THE_CATALOGUE = """
    SELECT pid, query_start FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
       AND query LIKE '%nameko_instance%'
"""
PARAMETERS = [{"name": "a", "kind": "KEYWORD_ONLY"}]


def test_jobs_go_on_while_a_table_of_the_catalogue_is_locked(
    world: World, start_compute: StartService
):
    """Jobs are made, sent and done while one statement of the catalogue waits."""
    world.start_relay()
    world.start_service()
    process = start_compute()
    wait_until(lambda: world.sql(PIDS) == [(process.pid,)])

    def done_while_it_waits() -> bool:
        waiting = set(wait_until(lambda: world.sql(WAITS_FOR_THE_CATALOGUE)))
        world.make(1)
        world.wait_until_finished()
        return bool(waiting & set(world.sql(WAITS_FOR_THE_CATALOGUE)))

    with psycopg2.connect(dbname=world.database) as other, other.cursor() as cursor:
        cursor.execute("LOCK nameko_instance")
        wait_until(done_while_it_waits)
    other.close()


def test_jobs_go_on_while_many_methods_are_heard_of(
    world: World, start_compute: StartService, rogue: Rogue
):
    relay = start_listening(world)
    world.start_service()
    methods = [{"name": f"m{n}", "doc": "", "parameters": []} for n in range(500)]
    for instance in range(25):
        names = [f"s{instance}_{number}" for number in range(11)]
        services = [{"name": name, "doc": "", "methods": methods} for name in names]
        rogue.send(invented(services=services, interval=3600))
    world.make(50)
    assert world.wait_until_finished() == {"done": 50}
    process = start_compute()
    wait_until(lambda: (process.pid,) in world.sql(PIDS))
    ((count,),) = world.sql("SELECT count(*) FROM nameko_method")
    assert count <= 10_000
    log = relay.output
    assert "Traceback" not in log
    assert "connects again" not in log


def test_odd_beats_end_no_connection(world: World, rogue: Rogue):
    relay = start_listening(world)
    method = {"name": "m", "doc": "", "parameters": PARAMETERS}
    odd = [
        {"services": [{"name": "s", "doc": "", "methods": [method] * 2_000}]},
        {"services": [{"name": "s", "doc": "x" * 1_000_000, "methods": []}]},
        {"services": [{"name": "s" * 300, "doc": "", "methods": []}]},
        {"host": "\ud800"},
        {"host": {"deep": [[[[]]]]}},
        {"pid": 2**70},
        {"interval": "NaN"},
        {"stopping": {}, "services": None},
        {"running": ["s.m"]},
        {"running": {"s.m": "often"}},
        {"running": {"s.m": 2**70, "s": 1}},
        {"running": {f"s.m{number}": 1 for number in range(1_000)}},
        {"id": str(uuid.uuid4()) * 10},
    ]
    for said in odd:
        rogue.send(invented(**said))
    rogue.send(json.dumps({"services": ["m"] * 1_000_000}))
    good = str(uuid.uuid4())
    rogue.send(invented(id=good, host="nul \0 in it"))
    heard = "SELECT uuid, host FROM nameko_instance"
    assert wait_until(lambda: world.sql(heard)) == [(good, "nul  in it")]
    log = relay.output
    assert log.count("that are none") == 1
    assert "Traceback" not in log
    assert "The catalogue of services waits" not in log
