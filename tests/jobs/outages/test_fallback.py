"""A plain Odoo without a relay: a scheduled action moves the jobs."""

from tests.jobs.world import ODOO, World, odoo_options
from tests.processes import Process
from tests.waiting import wait_until

CRON = "SELECT res_id FROM ir_model_data WHERE name = 'cron_move_jobs'"


def test_scheduled_action_moves_jobs_without_a_relay(world: World):
    world.start_service()
    ((cron,),) = world.sql(CRON)
    world.sql("UPDATE ir_cron SET active = true WHERE id = %s", cron)
    world.sql("DELETE FROM ir_cron_trigger WHERE cron_id = %s", cron)
    world.sql("DELETE FROM ir_cron_progress WHERE cron_id = %s", cron)
    command = [*ODOO, "server", *odoo_options(), "--no-http"]
    odoo = world.start("odoo", [*command, "--max-cron-threads=1"])
    wait_until(lambda: listens(world, odoo))  # otherwise it looks only once a minute
    world.make(100)
    assert triggers(world, cron) == 1
    world.make(10, limit_key="in one run")  # otherwise they take minutes
    assert world.wait_until_finished() == {"done": 110}
    assert world.hits() == {1: 110}
    progress = "SELECT sum(done) >= 110 FROM ir_cron_progress WHERE cron_id = %s"
    wait_until(
        lambda: world.sql(progress, cron) == [(True,)], what="the scheduled action's progress"
    )
    world.sql("UPDATE ir_cron SET active = false WHERE id = %s", cron)


def test_no_scheduled_action_is_woken_beside_a_relay(world: World):
    world.start_relay()
    world.start_service()
    ((cron,),) = world.sql(CRON)
    world.sql("DELETE FROM ir_cron_trigger WHERE cron_id = %s", cron)
    world.make(10)
    wait_until(lambda: world.states() == {"done": 10})
    assert triggers(world, cron) == 0


def listens(world: World, odoo: Process) -> bool:
    """Tell whether an Odoo waits for notifications that scheduled actions shall run."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND state = 'idle' "
        "AND query = 'COMMIT' AND application_name = %s"
    )
    ((count,),) = world.sql(query, f"odoo-{odoo.pid}")
    return bool(count)


def triggers(world: World, cron: int) -> int:
    """Count how often a scheduled action was asked to run soon."""
    ((count,),) = world.sql("SELECT count(*) FROM ir_cron_trigger WHERE cron_id = %s", cron)
    return int(count)
