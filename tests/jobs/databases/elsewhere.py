"""Helpers for tests of databases that were copied, moved or restored."""

from tests.jobs.world import ODOO, World, odoo_options
from tests.waiting import wait_until

UNTOUCHED = {"sent": 10, "pending": 10}
ACTIVITIES = """
    SELECT count(*) FROM mail_activity activity JOIN mail_activity_type type
        ON type.id = activity.activity_type_id WHERE type.icon = 'fa-warning'
       AND activity.user_id = 2
"""


def make_some_sent(world: World) -> None:
    """Create jobs, ten sent and ten pending, and stop the relay and the service."""
    service = world.start_service()
    service.kill()
    relay = world.start_relay("--max-sent=10")
    world.make(20)
    wait_until(lambda: world.states() == UNTOUCHED)
    wait_until(lambda: world.vhost.messages("rpc-probe") == UNTOUCHED["sent"], what="the requests")
    relay.terminate()


def answer(world: World, option: str) -> str:
    """Run the relay's command with an option that says what the database is; return its output."""
    command = [*ODOO, "nameko_relay", *odoo_options(world.database), option]
    program = world.start("answer", command)
    assert program.wait(60) == 0, program.output
    return program.output


def forget(database: str) -> None:
    """Close this process's connections to a database, so that it can be copied or dropped."""
    from odoo.modules.registry import Registry  # noqa: PLC0415
    from odoo.sql_db import close_db  # noqa: PLC0415

    Registry.delete(database)
    close_db(database)
