"""What a claim reads does not grow with the jobs that wait, paused ones included."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.jobs.policies.counted import Counted
from tests.jobs.world import World
from tests.waiting import wait_until

WAITING = 100_000
MOST = 250  # jobs of a claim
BLOCKS = 12  # of 8 kB that PostgreSQL reads for each claimed job at most, from its cache or disk
FILL = """
    INSERT INTO nameko_job (uuid, service, method, arguments, state, is_ready, is_waiting,
                            user_id, company_id, priority, timeout, attempts, max_attempts,
                            retry_delays, results_as, create_date)
    SELECT gen_random_uuid()::text, 'probe',
           CASE WHEN number %% 100 = 99 THEN 'count' ELSE 'add' END,
           '{"args": [1, 2], "kwargs": {}}', 'pending', true, false, 1, 1, number %% 10, 600, 0, 3,
           '10', 'list', now() AT TIME ZONE 'UTC'
      FROM generate_series(1, %s) AS number
"""


class Explained:
    """A cursor that explains each statement, and adds up the blocks that were read."""

    def __init__(self, cr: Any) -> None:
        self._cr, self.blocks, self.plans = cr, 0, []

    def execute(self, query: str, params: Any = None) -> None:
        self._cr.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", params)
        ((plan,),) = self._cr.fetchall()
        top = plan[0]["Plan"]
        self.plans.append(plan)
        self.blocks += top["Shared Hit Blocks"] + top["Shared Read Blocks"]

    def fetchall(self) -> list[Any]:
        return []


@pytest.fixture
def many(world: World) -> Iterator[World]:
    """A world in which 100,000 jobs wait, nearly all of one method."""
    world.sql(FILL, WAITING)
    yield world
    world.forget_jobs()


def blocks(world: World, claim: Any) -> int:
    with world.env() as env:
        explained = Explained(env.cr)
        claim(explained)
        env.cr.rollback()
    return int(explained.blocks)


@pytest.mark.parametrize("is_analyzed", [True, False])
def test_claim_reads_what_it_claims(many: World, is_analyzed: bool):
    from odoo.addons.nameko_connector.job_store.claiming.capacities import capacities  # noqa: PLC0415
    from odoo.addons.nameko_connector.job_store.claiming.claim import Lane, claim  # noqa: PLC0415
    from odoo.addons.nameko_connector.job_store.claiming.methods import open_methods  # noqa: PLC0415

    Counted(many).policy(method="add", is_paused=True)
    if is_analyzed:
        many.sql("ANALYZE nameko_job")
    service, methods = Lane("probe", MOST), Lane("probe", MOST, {"count": MOST, "add": 5})
    assert blocks(many, lambda cr: capacities(cr, 1000)) < 100
    assert blocks(many, lambda cr: open_methods(cr, "probe", ["add"])) < 100
    assert blocks(many, lambda cr: claim(cr, service, 10**6, 10**6)) < BLOCKS * MOST
    assert blocks(many, lambda cr: claim(cr, methods, 10**6, 10**6)) < BLOCKS * MOST


def test_jobs_of_another_method_are_sent_past_them(many: World):
    counted = Counted(many)
    counted.policy(method="add", is_paused=True)
    many.start_service()
    counted.start_relay()
    others = WAITING // 100
    wait_until(lambda: many.states() == {"done": others, "pending": WAITING - others})
