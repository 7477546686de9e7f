"""The relay's news for open views: to each at most once a second, to few at the same moment."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from tests.jobs.world import World
from tests.waiting import wait_until

JOBS, FORMS = 400, 50
GROUPS = 10  # of lists
AT_ONCE = 20  # browsers
VIEWERS = """
    INSERT INTO nameko_live_viewer (connection, channel, since)
    SELECT number, channel, now() AT TIME ZONE 'UTC'
      FROM unnest(%s) WITH ORDINALITY AS of_browser(channel, number)
"""
MESSAGES = """
    SELECT channel::jsonb ->> 1, create_date FROM bus_bus
     WHERE channel LIKE '%%nameko_live_%%' ORDER BY id
"""
SECOND = timedelta(seconds=0.95)  # by PostgreSQL's clock, of the transactions' beginnings


def channels_of(world: World, ids: Iterable[int]) -> list[str]:
    """Return the channels of records, or of groups of lists for negative numbers."""
    from odoo.addons.nameko_connector.models.monitoring.nameko_live import _channel  # noqa: PLC0415

    with world.env() as env:
        key = env["nameko.live"]._key()
    return [_channel(key, ("nameko.job.probe", each)) for each in ids]


def messages(world: World) -> dict[str, list[datetime]]:
    found = defaultdict(list)
    for channel, at in world.sql(MESSAGES):
        found[channel].append(at)
    return found


def test_each_view_gets_its_news_in_its_turn(world: World):
    world.start_service()
    records = world.make(JOBS)[:FORMS]
    forms = channels_of(world, records)
    lists = channels_of(world, range(0, -GROUPS, -1))
    other = "nameko_live_of-no-record"
    world.sql("DELETE FROM bus_bus; DELETE FROM nameko_live_viewer")
    world.sql(VIEWERS, [*forms, *lists, other])
    try:
        world.start_relay()
        assert world.wait_until_finished() == {"done": JOBS}
        done_at = dict(world.sql("SELECT res_id, done_at FROM nameko_job"))
        due = dict.fromkeys(lists, max(done_at.values()))
        due |= {form: done_at[record] for form, record in zip(forms, records, strict=True)}
        wait_until(lambda: all(messages(world)[name][-1:] >= [at] for name, at in due.items()))
    finally:
        world.sql("DELETE FROM nameko_live_viewer")
    assert len(messages(world)[other]) == 1  # a relay that begins has all views reload
    together = Counter(at for each in messages(world).values() for at in each)
    assert max(together.values()) <= AT_ONCE
    for each in messages(world).values():
        assert all(later - earlier > SECOND for earlier, later in pairwise(each))
