"""One row that cannot be expired, released or applied fails alone."""

import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

GOOD = 20
PAST = "deadline = now() AT TIME ZONE 'UTC' - interval '1 minute'"
BAD = {
    "infinite delay": "retry_delays = 'inf'",
    "mistyped delays": "retry_delays = '10; 60'",
    "huge delay": "retry_delays = '1e999'",
    "empty delays": "retry_delays = ''",
    "language that is not installed": "language = 'xx_XX'",
    "company the user is not in": "company_id = (SELECT max(id) FROM res_company)",
    "model that is gone": "res_model = 'nothing.of.this'",
    "field that is gone": "result_field = 'gone', on_result = NULL",
    "method that is gone": "on_result = '_on_gone', on_error = '_on_gone'",
    "record that is gone": "res_id = 2000000000",
    "endless timeout": "timeout = 'infinity'",
}


def spoil(world: World, ids: list[int]) -> None:
    """Make each of the jobs of the first records a bad row of another kind."""
    with world.env() as env:
        env["res.company"].create({"name": f"Of nobody {ids[0]}"})
    for res_id, assignment in zip(ids, BAD.values(), strict=False):
        world.sql(f"UPDATE nameko_job SET {assignment} WHERE res_id = %s", res_id)  # noqa: S608


@pytest.mark.parametrize("attempts", [1, 99])
def test_expiry(world: World, attempts: int):
    relay = world.start_relay()
    world.start_rogue()
    ids = world.make(GOOD + len(BAD), method="never", service="rogue", max_attempts=3)
    wait_until(lambda: world.states() == {"sent": GOOD + len(BAD)})
    spoil(world, ids)
    world.sql(f"UPDATE nameko_job SET attempts = %s, {PAST}", attempts)  # noqa: S608
    end = "failed" if attempts == 99 else "pending"
    wait_until(lambda: world.states() == {end: GOOD + len(BAD)})
    if attempts == 99:
        told = "SELECT count(*) FROM nameko_job_probe WHERE failures = 1"
        assert world.sql(told)[0][0] >= GOOD
    assert "failed, and waits" not in relay.output


def test_results(world: World):
    relay = world.start_relay()
    world.start_service().kill()
    ids = world.make(GOOD + len(BAD))
    wait_until(lambda: world.states() == {"sent": GOOD + len(BAD)})
    spoil(world, ids)
    world.start_service()
    states = world.wait_until_finished(30)
    assert states["done"] >= GOOD + 6  # wrong delays, language and timeout do no harm to a result
    assert relay.is_alive()
    assert "connects again" not in relay.output


def test_jobs_that_wait_in_a_circle(served: World):
    """They wait for ever; others do not wait for them."""
    ids = served.make(3, service="nobody", eta=None)
    served.sql("UPDATE nameko_job SET state = 'pending', is_ready = false, is_waiting = true")
    served.sql(
        "INSERT INTO nameko_job_predecessor (job_id, predecessor_id)"
        " SELECT a.id, b.id FROM nameko_job a, nameko_job b WHERE a.id <> b.id"
    )
    served.make(GOOD)
    wait_until(lambda: served.states() == {"done": GOOD, "pending": 3})
    served.sql("UPDATE nameko_job SET state = 'failed' WHERE res_id = %s", ids[0])
    served.sql("SELECT pg_notify('nameko_job', 'finished:')")
    assert served.wait_until_finished() == {"done": GOOD, "failed": 3}


def test_long_row_of_jobs_fails_at_once(served: World):
    from odoo.addons.nameko_connector.tools.job_request import JobRequest  # noqa: PLC0415

    with served.env(user=2) as env:
        rpc = env["nameko.rpc"]
        rpc.chain(JobRequest("probe", "fail", (1, 1)), *[JobRequest("probe", "add", ())] * 700)
    served.make(GOOD)
    assert served.wait_until_finished(60) == {"failed": 701, "done": GOOD}
