"""The relay's news for open views: to each group of browsers in turn, at most once a second."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from tests.jobs.world import World
from tests.waiting import wait_until

GROUPS = 10
JOBS = 400
VIEWERS = """
    INSERT INTO nameko_live_viewer (session, channel, since)
    SELECT number, 'nameko_live_' || number, now() AT TIME ZONE 'UTC'
      FROM generate_series(0, %s) AS number
"""
MESSAGES = "SELECT channel, create_date FROM bus_bus WHERE channel LIKE '%%nameko_live_%%'"
SECOND = timedelta(seconds=0.95)  # by PostgreSQL's clock, of the transactions' beginnings


def messages(world: World) -> list[tuple[str, datetime]]:
    return sorted(world.sql(MESSAGES))


def test_groups_of_browsers_take_turns(world: World):
    world.sql("DELETE FROM bus_bus; DELETE FROM nameko_live_viewer")
    world.sql(VIEWERS, GROUPS)  # the last one is no channel: a row that nobody understands
    try:
        world.start_service()
        world.start_relay()
        wait_until(lambda: len({channel for channel, _ in messages(world)}) == GROUPS)
        world.make(JOBS)
        assert world.wait_until_finished() == {"done": JOBS}
        before = len(messages(world))
        world.make(1)
        wait_until(lambda: len(messages(world)) >= before + GROUPS)
    finally:
        world.sql("DELETE FROM nameko_live_viewer")
    together = Counter(at for _, at in messages(world))
    own = {at for at, count in together.items() if count == GROUPS + 1}  # of `make`, for its batch
    assert all(count <= 2 for at, count in together.items() if at not in own)
    of_relay = [(channel, at) for channel, at in messages(world) if at not in own]
    for (channel, earlier), (next_channel, later) in pairwise(of_relay):
        assert channel != next_channel or later - earlier > SECOND
