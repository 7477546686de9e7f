"""A short run of what `make chaos` does for long."""

import random

from tests.jobs.chaos import Chaos, set_options
from tests.jobs.world import World

JOBS = 2_000


def test_nothing_is_lost_in_chaos(world: World):
    random.seed(4)
    set_options(world)
    chaos = Chaos(world)
    faults = (chaos.kill_relay, chaos.kill_odoo_worker, chaos.kill_service, chaos.freeze_relay)
    for number in range(200):
        chaos.click()
        faults[number % len(faults)]()
        chaos.revive()
        if chaos.made() >= JOBS:
            break
    assert chaos.made() >= JOBS
    states = world.wait_until_finished(120)
    assert states == {"done": chaos.made()}
    assert world.hits() == {1: chaos.made()}
