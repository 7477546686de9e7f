"""A database that is broken does not disturb the others."""

import psycopg2
import pytest

from tests.databases import run_outside
from tests.jobs.databases.elsewhere import forget
from tests.jobs.many.many import PREFIX, Many, child, create
from tests.waiting import wait_until


def assert_others_work(many: Many) -> None:
    """Check that a job in another database is done, and that its relay lost no connection."""
    before = many["a"].states().get("done", 0)
    many["a"].make(1)
    assert many["a"].wait_until_finished() == {"done": before + 1}


def test_locked_table(many: Many):
    many["b"].make(1)
    with psycopg2.connect(dbname=PREFIX + "b") as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE nameko_job IN ACCESS EXCLUSIVE MODE")
        service = many.start()
        service.wait_for_log(f"The database {PREFIX}b waits: canceling statement due to lock")
        assert_others_work(many)
    connection.close()
    assert many["b"].wait_until_finished() == {"done": 1}
    assert service.output.count(f"{PREFIX}b waits") == 1


def test_no_connection_left(many: Many):
    many["b"].make(1)
    forget(PREFIX + "b")
    limit = "ALTER DATABASE {} CONNECTION LIMIT "
    run_outside(limit + "0", PREFIX + "b")
    try:
        service = many.start()
        service.wait_for_log(f"The database {PREFIX}b waits")
        assert_others_work(many)
    finally:
        run_outside(limit + "-1", PREFIX + "b")
    assert many["b"].wait_until_finished() == {"done": 1}


@pytest.mark.breaks_connections
def test_dropped_while_busy(many: Many):
    create("new")
    service = many.start()
    many["new"].make(2000)
    many["a"].make(1)
    dropped = child(service, "new")
    forget(PREFIX + "new")
    run_outside("DROP DATABASE {} WITH (FORCE)", PREFIX + "new")
    wait_until(lambda: not dropped.is_running())
    assert_others_work(many)


def test_without_the_addon(many: Many):
    run_outside("DROP DATABASE IF EXISTS {}", PREFIX + "empty")
    run_outside("CREATE DATABASE {}", PREFIX + "empty")
    service = many.start()
    service.wait_for_log(f"The database {PREFIX}empty waits: it has no jobs")
    assert_others_work(many)
    run_outside("DROP DATABASE {}", PREFIX + "empty")
    service.wait_for_log(f"The database {PREFIX}empty is gone")
