"""A copied database neither sends its original's jobs nor takes their replies."""

from collections.abc import Iterator

import psycopg2
import psycopg2.sql
import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

COPY = "nameko_jobs_copy"


def run_outside(statement: str, *names: str) -> None:
    connection = psycopg2.connect(dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        identifiers = map(psycopg2.sql.Identifier, names)
        cursor.execute(psycopg2.sql.SQL(statement).format(*identifiers))
    connection.close()


@pytest.fixture
def copy(world: World) -> Iterator[World]:
    """The world after its database, with jobs pending and sent, has been copied."""
    from odoo.sql_db import close_db  # noqa: PLC0415

    service = world.start_service()
    service.kill()
    relay = world.start_relay("--max-sent=10")
    world.make(20)
    wait_until(lambda: world.states() == {"sent": 10, "pending": 10})
    relay.terminate()
    close_db(world.database)
    run_outside("DROP DATABASE IF EXISTS {}", COPY)
    run_outside("CREATE DATABASE {} TEMPLATE {}", COPY, world.database)
    copied = World(COPY)
    copied.vhost, copied.amqp_uri, copied.probe_file = world.vhost, world.amqp_uri, world.probe_file
    yield copied
    for program in copied.programs:
        program.kill()
    close_db(COPY)
    run_outside("DROP DATABASE {} WITH (FORCE)", COPY)


def test_copy_disowns_the_jobs_of_its_original(world: World, copy: World):
    copy.start_relay()
    assert copy.states() == {"cancelled": 20}
    world.start_service()
    world.start_relay()
    assert world.wait_until_finished() == {"done": 20}
    assert world.hits() == {1: 20}
    assert copy.hits() == {0: 20}
    assert len(world.ran()) == 20


def test_copy_has_jobs_of_its_own(world: World, copy: World):
    copy.start_relay()
    world.start_relay()
    world.start_service()
    copy.make(5)
    assert copy.wait_until_finished() == {"cancelled": 20, "done": 5}
    assert world.wait_until_finished() == {"done": 20}


def test_restored_database_takes_over(world: World, copy: World):
    copy.start_relay("--take-over")
    world.start_service()
    assert copy.wait_until_finished() == {"done": 20}


def test_neutralized_copy_sends_nothing(world: World, copy: World):
    neutralize = ["-m", "odoo", "neutralize", "-d", COPY]
    assert copy.start("neutralize", neutralize).process.wait(60) == 0
    assert copy.states() == {"cancelled": 20}
    copy.make(3)
    relay = copy.start_relay(wait=False)
    relay.wait_for("This database is neutralized")
    assert copy.states() == {"cancelled": 20, "pending": 3}
