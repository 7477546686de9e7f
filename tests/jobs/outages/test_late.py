"""What was answered in time counts, however late it is read."""

import pytest

from tests.jobs.answers.test_callbacks import make_slow
from tests.jobs.world import World
from tests.waiting import wait_until

JOBS = 450  # more than the broker hands out before some of them are written
SLOW = 120  # more than one process keeps of a slow kind
AWAY = "UPDATE nameko_job SET deadline = now() AT TIME ZONE 'UTC' - interval '10 minutes'"


def reply_queue(world: World) -> str:
    identity = "SELECT split_part(value, '@', 1) FROM ir_config_parameter WHERE key = %s"
    ((name,),) = world.sql(identity, "nameko_connector.database_identity")
    return f"rpc.reply-odoo-{name}"


@pytest.fixture
def answered(world: World) -> World:
    """Jobs on their last attempt, answered while no relay ran, and ten minutes ago at that."""
    world.make(JOBS, max_attempts=1)
    have_answered(world, JOBS)
    return world


def have_answered(world: World, count: int) -> None:
    """Have jobs sent by a relay that ends, answered, and late since long."""
    world.start_service().kill()
    relay = world.start_relay()
    wait_until(lambda: world.states() == {"sent": count})
    relay.kill()
    world.start_service()
    wait_until(lambda: world.vhost.messages(reply_queue(world)) == count)
    world.sql(AWAY)


def assert_all_counted(world: World) -> None:
    assert world.wait_until_finished(120) == {"done": JOBS}
    assert world.hits() == {1: JOBS}
    assert world.sql("SELECT sum(coalesce(failures, 0)) FROM nameko_job_probe") == [(0,)]


def test_relay_was_away(answered: World):
    answered.start_relay()
    assert_all_counted(answered)


def test_several_relays_were_away(answered: World):
    answered.start_relay(wait=False)
    answered.start_relay()
    assert_all_counted(answered)


@pytest.mark.usefixtures("use_broker")
def test_scheduled_action_reads_first(answered: World):
    from odoo.addons.nameko_connector.relay.fallback import move_for  # noqa: PLC0415

    move_for(answered.database, 30)
    assert_all_counted(answered)


def test_results_that_wait_for_slow_callbacks_are_not_late(world: World):
    """They are parked meanwhile: nothing of them was begun, but they have come."""
    make_slow(world, SLOW, 0.2)
    world.sql("UPDATE nameko_job SET max_attempts = 1")
    have_answered(world, SLOW)
    world.start_relay()
    assert world.wait_until_finished(200) == {"done": SLOW}
    assert world.hits() == {1: SLOW}


def test_lost_jobs_are_late_although_replies_keep_coming(served: World):
    """An hour's load does not keep those from being judged that nobody will answer."""
    served.make(20, method="take_seconds", timeout=1, max_attempts=1)
    wait_until(lambda: served.states().get("sent", 0) == 20)
    served.programs[-1].kill()
    served.start_service()
    served.sql(AWAY)
    for _ in range(8):
        served.make(200)
        wait_until(lambda: served.states().get("pending", 0) < 100)
        if served.states().get("failed", 0):
            break
    wait_until(lambda: served.states().get("failed", 0) == 20)
    assert served.sql("SELECT sum(failures) FROM nameko_job_probe") == [(20,)]
