"""The relay service sees all that a relay has to do in a database."""

# ruff: noqa: S608  constants
import psycopg2
import pytest

from tests.jobs.world import World

SOON = "now() AT TIME ZONE 'UTC' + interval '1 hour'"
LONG_AGO = "now() AT TIME ZONE 'UTC' - interval '1 hour'"
NO_BATCH = "UPDATE nameko_job SET batch_id = NULL; DELETE FROM nameko_batch;"
ENDED = f"state = 'done', is_ready = false, done_at = {LONG_AGO}"
IN_LINE = "is_ready = false, is_waiting = true, limit_key = 'k', most_at_once = 1"
WORK = {
    "a ready job": "SELECT",
    "a job whose time has come": f"UPDATE nameko_job SET is_ready = false, eta = {LONG_AGO}",
    "a job that enters a line": f"UPDATE nameko_job SET {IN_LINE}, eta = {LONG_AGO}",
    "a job whose turn it is": f"UPDATE nameko_job SET {IN_LINE}",
    "a late job": f"UPDATE nameko_job SET state = 'sent', is_ready = false, deadline = {LONG_AGO}",
    "a cancelled job": "UPDATE nameko_job SET state = 'cancelled', cancel_unannounced = true",
    "a failure": "UPDATE nameko_job SET state = 'failed', error_type = 'ValueError'",
    "a batch": f"""UPDATE nameko_job SET {ENDED};
                   INSERT INTO nameko_batch (name, state, user_id, company_id)
                   SELECT 'x', 'running', user_id, company_id FROM nameko_job LIMIT 1""",
}  # fmt: skip
ATTEND = {
    "a sent job": f"UPDATE nameko_job SET state = 'sent', is_ready = false, deadline = {SOON}",
    "a view": f"""UPDATE nameko_job SET {ENDED};
                  INSERT INTO nameko_live_viewer (connection, channel, since)
                  VALUES ('x', 'x', now() AT TIME ZONE 'UTC')""",
}  # fmt: skip
NOTHING = {
    "an ended job": f"UPDATE nameko_job SET {ENDED}",
    "a job that enters a line later": f"UPDATE nameko_job SET {IN_LINE}, eta = {SOON}",
    "a later job": f"UPDATE nameko_job SET is_ready = false, eta = {SOON}",
}


@pytest.mark.parametrize(
    ("need", "change"),
    [
        *((2, change) for change in WORK.values()),
        *((1, change) for change in ATTEND.values()),
        *((0, change) for change in NOTHING.values()),
    ],
    ids=[*WORK, *ATTEND, *NOTHING],
)
def test_need(world: World, need: int, change: str):
    world.make(1)
    assert look_after(world, NO_BATCH + change) == need


def test_jobs_that_wait_for_others(world: World):
    with world.env(user=2) as env:
        record = env["nameko.job.probe"].create({"number": 1})
        job = env["nameko.rpc"].delay("probe", "add", 1, 2)
        env["nameko.rpc"].delay_many([record._request("probe", "add", after=job)])
    later = (
        f"{NO_BATCH} UPDATE nameko_job SET is_ready = false, eta = {SOON} WHERE NOT is_waiting; "
    )
    done = f"{NO_BATCH} UPDATE nameko_job SET {ENDED} WHERE NOT is_waiting; "
    assert look_after(world, later) == 0
    assert look_after(world, done) == 2
    assert look_after(world, done.replace("'done'", "'failed', failure_id = NULL")) == 2


def test_jobs_in_line_behind_another(world: World):
    first, *_others = world.make(3)
    in_line = f"{NO_BATCH} UPDATE nameko_job SET {IN_LINE};"
    first_is = f"UPDATE nameko_job SET {{}} WHERE res_id = {first}"
    opened = f"is_waiting = false, eta = {SOON}"
    assert look_after(world, in_line + first_is.format(opened)) == 0
    assert look_after(world, in_line + first_is.format(f"is_waiting = false, {ENDED}")) == 2


def look_after(world: World, change: str) -> int:
    """Return the need of a database after a change, which is rolled back."""
    from odoo.addons.nameko_connector.relay.service import needs  # noqa: PLC0415

    with psycopg2.connect(dbname=world.database) as connection, connection.cursor() as cursor:
        cursor.execute(change)
        cursor.execute(needs.PREPARE)
        cursor.execute(needs.EXECUTE)
        look = needs.read(cursor.fetchall())
        connection.rollback()
    connection.close()
    return int(look.need(may_release=False))
