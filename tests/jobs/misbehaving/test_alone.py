"""What is wrong with one job's request is no harm to any other."""

from collections.abc import Iterable, Sequence

import pytest

from tests.jobs.chaos.nonsense import send_nonsense
from tests.jobs.world import World
from tests.waiting import wait_until

GOOD = 20


@pytest.mark.parametrize("depth", [3, 450, 910, 950, 981])
def test_a_result_that_is_nested_deep_goes_on_or_fails_with_its_job(world: World, depth: int):
    from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

    world.start_relay()
    world.start_rogue()
    world.start_service()
    with world.env(user=2) as env:
        first = env["nameko.rpc"].delay("rogue", "nested", depth)
        for results_as in ("list", "arguments", "nothing"):
            options = JobOptions(after=first, results_as=results_as)
            env["nameko.rpc"].delay_many([JobRequest("rogue", "zero", (1,), {}, options)])
    world.make(GOOD)
    states = {"done": GOOD + 4} if depth < 500 else {"done": GOOD, "failed": 4}
    assert world.wait_until_finished(120) == states


def test_rows_that_cannot_be_sent_fail_alone(world: World):
    """As an earlier version, or somebody with rights on the table, may have left them."""
    bad = {"service": "repeat('x', 252)", "method": "repeat('é', 125)", "timeout": "NULL"}
    ids = world.make(GOOD + len(bad))
    spoil(world, ids, bad.items())
    world.start_service()
    world.start_relay()
    states = world.wait_until_finished(120)
    assert states == {"done": GOOD, "failed": len(bad)}
    told = "SELECT count(*) FROM nameko_job_probe WHERE failures = 1"
    assert world.sql(told) == [(len(bad),)]


def test_rows_with_odd_timeouts_are_sent(world: World):
    odd = [("timeout", value) for value in ("'infinity'", "'NaN'", "1e300", "2147483648")]
    ids = world.make(GOOD)
    spoil(world, ids, odd)
    world.start_service()
    world.start_relay()
    assert world.wait_until_finished() == {"done": GOOD}
    assert world.hits() == {1: GOOD}


def spoil(world: World, ids: Sequence[int], changes: Iterable[tuple[str, str]]) -> None:
    """Change a column in the job of each of the first records."""
    for res_id, (column, value) in zip(ids, changes, strict=False):
        world.sql(f"UPDATE nameko_job SET {column} = {value} WHERE res_id = %s", res_id)  # noqa: S608


def test_no_message_has_a_relay_connect_again(world: World):
    relay = world.start_relay()
    world.start_service(contained=True)
    queues = [world.reply_queue]
    queues += [f"nameko_connector.{name}-{world.identity}" for name in ("progress", "beats")]
    wait_until(lambda: all(world.vhost.consumers(queue) for queue in queues))
    for _ in range(3):
        send_nonsense(world)
        world.make(GOOD)
    assert world.wait_until_finished() == {"done": 3 * GOOD}
    wait_until(lambda: not any(world.vhost.messages(queue) for queue in queues))
    assert world.reconnects() == []
    log = relay.output
    assert "The relay connects again" not in log
    assert "failed, and waits" not in log  # nor is a step put off, with what it has for others
