"""Callbacks that have their job ask the service again: each answer is written once."""

from typing import Any

import pytest

from tests.jobs.answers.test_callbacks import of_callback
from tests.jobs.world import World
from tests.waiting import wait_until

MANY = 40
ROUNDS = 5


def make(world: World, seconds: float, count: int = MANY) -> None:
    """Make jobs whose callback asks again after so many seconds, until it has five answers."""
    with world.env(user=2) as env:
        records = env["nameko.job.probe"].create([{"seconds": seconds}] * count)
        env["nameko.rpc"].delay_many(
            record._request("probe", "add", on_result="_on_again") for record in records
        )


def assert_asked(world: World, count: int = MANY) -> None:
    """Check that each job has had five rounds, each with the result of the one before."""
    assert world.wait_until_finished() == {"done": count}
    assert world.hits() == {ROUNDS: count}
    assert world.sql("SELECT DISTINCT result FROM nameko_job_probe") == [(ROUNDS,)]
    rows = "SELECT DISTINCT asked_again, attempts FROM nameko_job"
    assert world.sql(rows) == [(ROUNDS - 1, 1)]


def test_jobs_are_asked_again(served: World):
    make(served, 0.2)
    served.make(MANY)
    wait_until(lambda: of_callback(served, "_on_sum") == {"done": MANY})
    assert served.wait_until_finished() == {"done": 2 * MANY}
    assert served.hits() == {1: MANY, ROUNDS: MANY}
    assert len(served.ran()) == MANY * (ROUNDS + 1)


def test_a_job_waits_for_its_time(served: World):
    make(served, 3600, 1)
    wait_until(lambda: served.hits() == {1: 1})
    query = "SELECT state, extract(epoch FROM eta - now() AT TIME ZONE 'UTC') FROM nameko_job"
    ((state, seconds),) = served.sql(query)
    assert state == "pending"
    assert 3500 < seconds <= 3600


def request_headers(world: World) -> dict[str, Any]:
    """Return the headers of the request that waits for the service."""
    wait_until(lambda: world.vhost.messages("rpc-probe") == 1)
    return dict(world.vhost.look("rpc-probe")["properties"]["headers"])


def test_each_round_has_an_idempotency_id(world: World):
    """With the same id, a service that runs each request once returns its first answer again."""
    world.start_relay()
    world.start_service().kill()
    make(world, 5, 1)
    first = request_headers(world)
    service = world.start_service(wait=False)
    wait_until(lambda: world.hits() == {1: 1})
    service.kill()
    second = request_headers(world)
    ((uuid,),) = world.sql("SELECT uuid FROM nameko_job")
    assert first["nameko.job"] == second["nameko.job"] == uuid
    assert first["nameko.idempotency_id"] == uuid
    assert second["nameko.idempotency_id"].startswith(f"{uuid}/")


def test_relays_that_are_killed_meanwhile(world: World):
    world.start_service()
    relay = world.start_relay()
    make(world, 0)
    for answers in (MANY, 2 * MANY, 3 * MANY):
        wait_until(lambda: len(world.ran()) >= answers)  # noqa: B023
        relay.kill()
        relay = world.start_relay()
    assert_asked(world)


@pytest.mark.usefixtures("use_broker")
def test_scheduled_action_asks_again(world: World):
    from odoo.addons.nameko_connector.relay.fallback import move_for  # noqa: PLC0415

    world.start_service()
    make(world, 0)
    move_for(world.database, 30)
    assert_asked(world)
