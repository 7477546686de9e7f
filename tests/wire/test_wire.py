"""A short run of what `python -m tests.wire.trial` does for long."""

import os
import time

import pytest

from stack.steps import say
from tests.jobs.world import World
from tests.wire.trial import trial

MESSAGES = 1_500


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_message_stops_anything(world: World):
    seed = int(os.environ.get("SEED", time.time()))
    say(f"seed {seed}")  # pytest shows it where the test fails
    report = trial(world, MESSAGES, seed)
    assert report.problems == []
    assert report.sent == MESSAGES
    assert report.answered > MESSAGES / 20
    assert sum(report.refused_by_the_broker.values()) < MESSAGES / 5
