"""Services whose queue is gone: those that have had one are waited for."""

import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

JOBS = 300


def take_queue_away(world: World) -> None:
    """Have the broker lose the queue of the service, after it has answered once."""
    service = world.start_service()
    world.make(1)
    world.wait_until_finished()
    service.kill()
    world.vhost.delete_queue("rpc-probe")
    world.forget_jobs()


def wait_for_next_look(world: World) -> None:
    """Wait until one more job has been sent to see whether the service is back."""
    look = "SELECT coalesce(max(look_at)::text, '') FROM nameko_route"
    before = world.sql(look)
    wait_until(lambda: world.sql(look) != before, what="a look for the service")


def test_jobs_wait_for_a_service_that_has_run(world: World):
    """None counts an attempt, few are sent to see whether it is back."""
    relay = world.start_relay()
    take_queue_away(world)
    world.make(JOBS, max_attempts=1)
    for _ in range(3):
        wait_for_next_look(world)
    rows = world.sql(
        "SELECT state, attempts, error_type, count(*) FROM nameko_job GROUP BY 1, 2, 3"
    )
    assert rows == [("pending", 0, None, JOBS)]
    assert world.sql("SELECT sum(sendings) FROM nameko_job")[0][0] <= JOBS + 3
    world.start_service()
    assert world.wait_until_finished() == {"done": JOBS}
    assert world.hits() == {1: JOBS}
    assert world.sql("SELECT away_since, look_at FROM nameko_route") == [(None, None)]
    assert "connects again" not in relay.output


def test_others_do_not_wait(world: World):
    world.start_relay()
    take_queue_away(world)
    world.make(20, max_attempts=1)
    world.start_service(name="plain_probe")
    world.make(20, service="plain_probe")
    wait_until(lambda: world.states() == {"done": 20, "pending": 20})


def test_who_stays_away_for_longer_than_a_job_may_take_fails_it(world: World):
    world.start_relay()
    take_queue_away(world)
    world.make(20, timeout=0.5, max_attempts=1)
    world.make(1, timeout=3600, max_attempts=1)
    wait_until(lambda: world.states() == {"failed": 20, "pending": 1})
    assert world.sql("SELECT DISTINCT error_type FROM nameko_job WHERE state = 'failed'") == [
        ("UnknownService",)
    ]
    assert world.sql("SELECT sum(failures) FROM nameko_job_probe") == [(20,)]
    assert "has run before" in world.sql("SELECT min(error) FROM nameko_job_probe")[0][0]


def test_a_relay_that_was_away_itself_looks_before_it_fails_a_job(world: World):
    relay = world.start_relay()
    take_queue_away(world)
    world.make(5, timeout=3600, max_attempts=1)
    wait_for_next_look(world)
    relay.terminate()
    past = "now() AT TIME ZONE 'UTC' - interval '1 day'"
    world.sql(f"UPDATE nameko_route SET away_since = {past}, look_at = {past}")  # noqa: S608
    world.sql(f"UPDATE nameko_job SET create_date = {past}, eta = {past}")  # noqa: S608
    world.start_service()
    world.start_relay()
    assert world.wait_until_finished() == {"done": 5}


@pytest.mark.parametrize("known", [True, False])
def test_a_call_says_whether_the_service_has_run(world: World, known: bool):
    from odoo.addons.nameko_connector.broker.amqp.config import BrokerConfig  # noqa: PLC0415
    from odoo.addons.nameko_connector.broker.rpc.client import Client  # noqa: PLC0415
    from odoo.addons.nameko_connector.exceptions import UnknownService  # noqa: PLC0415

    world.sql("DELETE FROM nameko_route")
    if known:
        world.start_relay()
        take_queue_away(world)
    client = Client(BrokerConfig(world.amqp_uri))
    with world.env(user=2) as env, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(env["nameko.rpc"]), "_client", lambda self: client)
        text = "its queue is gone" if known else "is not known"
        with pytest.raises(UnknownService, match=text):
            env["nameko.rpc"].call("probe", "add", 1, 1)
    client.close()
