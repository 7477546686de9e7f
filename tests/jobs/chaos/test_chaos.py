"""A short run of what `make chaos` does for long."""

import random

import pytest

from tests.jobs.chaos.chaos import Chaos, judge, set_options
from tests.jobs.world import World

JOBS = 2_000
BATCH = 200
POISONED = 4  # every so many batches: poison that kills its service takes the time of its restarts
FREEZE_SECONDS = 5.0


@pytest.mark.breaks_connections
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nothing_is_lost_in_chaos(world: World):
    random.seed(4)
    set_options(world)
    chaos = Chaos(world, FREEZE_SECONDS)
    faults = chaos.faults
    # In turn, those that leave the stack's own broker and database to the other tests.
    turns = (
        faults.kill_relay, faults.freeze_relay, faults.lock_records, faults.kill_service,
        faults.nonsense, faults.cut_a_way, faults.kill_odoo_worker, faults.swallow_a_way,
        faults.freeze_service, faults.delay_a_way,
    )  # fmt: skip
    try:
        for number in range(200):
            chaos.click(BATCH, poisoned=number % POISONED == 0)
            turns[number % len(turns)]()
            faults.mend()
            if chaos.made() >= JOBS and number >= len(turns):
                break
        assert chaos.made() >= JOBS
        assert judge(chaos, seconds=480) == []
    finally:
        chaos.close()
