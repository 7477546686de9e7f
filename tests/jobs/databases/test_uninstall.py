"""Uninstalling the addon leaves nothing behind, whatever has been made with it."""

import sys
from collections.abc import Iterator

import pytest

from tests.databases import run_outside
from tests.jobs.world import World, odoo_options

DATABASE = "nameko_uninstall_test"
QUEUES = ("rpc.reply-odoo-{}", "nameko_connector.dead-{}", "nameko_connector.progress-{}")
LEFT = {
    "parameters": "SELECT key FROM ir_config_parameter WHERE key LIKE 'nameko_%%'",
    "server actions": "SELECT name FROM ir_act_server WHERE state = 'nameko'",
    "schedules": "SELECT cron_name FROM ir_cron WHERE cron_name ILIKE '%%nameko%%'",
    "tables": "SELECT tablename FROM pg_tables WHERE tablename LIKE 'nameko%%'",
    "columns": "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE column_name LIKE 'nameko%%'",
    "models": "SELECT model FROM ir_model WHERE model LIKE 'nameko.%%'",
    "names of records": "SELECT name FROM ir_model_data WHERE module LIKE 'nameko_co%%'",
    "messages": "SELECT model, res_id FROM mail_message WHERE model LIKE 'nameko.%%'",
    "followers": "SELECT res_model, res_id FROM mail_followers WHERE res_model LIKE 'nameko.%%'",
}


@pytest.fixture
def installed(world: World) -> Iterator[World]:
    """A database of the test's own on the virtual host of its world."""
    from odoo.sql_db import close_db  # noqa: PLC0415

    close_db(world.database)
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", DATABASE)
    run_outside("CREATE DATABASE {} TEMPLATE {}", DATABASE, world.database)
    installed = World(DATABASE)
    installed.vhost = world.vhost
    yield installed
    for program in installed.programs:
        program.kill()
    close_db(DATABASE)
    run_outside("DROP DATABASE {} WITH (FORCE)", DATABASE)


def use_everything(world: World) -> None:
    """Schedule two calls of services, one of them archived, and leave traces of all kinds."""
    with world.env() as env:
        schedule = {
            "name": "Scheduled call",
            "model_id": env["ir.model"]._get_id("res.partner"),
            "state": "nameko",
            "nameko_service": "pricing",
            "nameko_method": "refresh",
            "nameko_result_kind": "nothing",
            "nameko_parameter_ids": [(0, 0, {"name": "name", "value": "1"})],
            "interval_number": 1,
        }
        env["ir.cron"].create([schedule, {**schedule, "active": False}])
        env["ir.config_parameter"].set_param("nameko_connector.job_timeout", "5")
        env["nameko.service"].create({"name": "pricing"}).message_post(body="seen")
        env["nameko.compute"].create({"value": 1, "other": 2}).action_compute_later()


def uninstall(world: World) -> None:
    modules = "env['ir.module.module'].search([('name', '=', 'nameko_connector')])"
    command = (
        "import sys; from odoo.tools import config; config.parse_config(sys.argv[1:]);"
        "from odoo.modules.registry import Registry; from odoo.api import Environment\n"
        f"with Registry({world.database!r}).cursor() as cr:\n"
        f"    env = Environment(cr, 1, {{}}); {modules}.button_immediate_uninstall()\n"
    )
    program = world.start(
        "uninstall", [sys.executable, "-c", command, *odoo_options(world.database)]
    )
    assert program.wait(200) == 0, program.output[-3000:]


def test_nothing_is_left(installed: World):
    use_everything(installed)
    relay = installed.start_relay()
    ((stored,),) = installed.sql(
        "SELECT value FROM ir_config_parameter WHERE key = 'nameko_connector.database_identity'"
    )
    queues = [name.format(stored.partition("@")[0]) for name in QUEUES]
    assert all(map(installed.vhost.has_queue, queues))
    relay.terminate()

    uninstall(installed)

    left = {what: rows for what, query in LEFT.items() if (rows := installed.sql(query))}
    assert left == {}
    assert not any(map(installed.vhost.has_queue, queues))
