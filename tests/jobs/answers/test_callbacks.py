"""Callbacks that are slow, never return, end their process, or ask again."""

import pytest

from tests.jobs.world import World
from tests.waiting import wait_until

MANY = 200


def make_slow(world: World, count: int, seconds: float, callback: str = "_on_slow") -> list[int]:
    """Make jobs whose callback takes so long."""
    with world.env(user=2) as env:
        records = env["nameko.job.probe"].create([{"seconds": seconds, "number": 1}] * count)
        env["nameko.rpc"].delay_many(
            record._request("probe", "add", on_result=callback) for record in records
        )
        return list(records.ids)


def of_callback(world: World, callback: str) -> dict[str, int]:
    """Count the jobs of a callback by their states."""
    query = "SELECT state, count(*) FROM nameko_job WHERE on_result = %s GROUP BY state"
    return dict(world.sql(query, callback))


def test_slow_callbacks_hold_up_no_others(served: World):
    make_slow(served, 40, 1.5)
    wait_until(lambda: served.states().get("done", 0) >= 1)
    served.make(MANY)
    wait_until(lambda: of_callback(served, "_on_sum") == {"done": MANY})
    assert of_callback(served, "_on_slow").get("sent", 0) > 0
    assert served.wait_until_finished() == {"done": MANY + 40}
    assert served.hits() == {1: MANY + 40}


def test_fast_callback_that_once_is_slow_holds_up_no_others(served: World):
    make_slow(served, 50, 0)
    served.wait_until_finished()
    (slow,) = make_slow(served, 1, 20)
    make_slow(served, MANY, 0)
    wait_until(lambda: served.states() == {"done": 50 + MANY, "sent": 1})
    assert served.wait_until_finished() == {"done": 51 + MANY}
    assert served.hits() == {1: 51 + MANY}
    assert slow


@pytest.mark.parametrize("callback", ["_on_slow", "_on_query"])
def test_callback_that_does_not_return_fails_its_job(world: World, callback: str):
    relay = world.start_relay("--callback-seconds=4")
    world.start_service()
    make_slow(world, 3, 3600, callback)
    world.make(MANY)
    wait_until(lambda: of_callback(world, "_on_sum") == {"done": MANY})
    wait_until(lambda: of_callback(world, callback) == {"failed": 3})
    rows = "SELECT DISTINCT error_type, has_result, error_message FROM nameko_job"
    ((error, has_result, message),) = world.sql(f"{rows} WHERE state = 'failed'")
    assert (error, has_result) == ("ResultNotWritten", True)
    assert f"nameko.job.probe.{callback} did not return within 4 seconds" in message
    world.make(MANY)
    assert world.wait_until_finished() == {"failed": 3, "done": 2 * MANY}
    assert relay.is_alive()
    assert relay.terminate() == 0


def test_callback_that_ends_its_process_fails_its_job(world: World):
    relay = world.start_relay()
    world.start_service()
    with world.env(user=2) as env:
        records = env["nameko.job.probe"].create(
            [{"number": number, "is_refusing": number == 20} for number in range(MANY)]
        )
        env["nameko.rpc"].delay_many(
            record._request("probe", "add", on_result="_on_deadly") for record in records
        )
    starts = 1
    while {"pending", "sent"} & world.states().keys():
        if not relay.is_alive():
            relay, starts = world.start_relay(), starts + 1
    assert world.states() == {"failed": 1, "done": MANY - 1}
    assert world.hits() == {1: MANY - 1, 0: 1}
    rows = "SELECT error_type, has_result, error_message FROM nameko_job WHERE state = 'failed'"
    ((error, has_result, message),) = world.sql(rows)
    assert (error, has_result) == ("ResultNotWritten", True)
    assert "The relay ended 5 times while it ran nameko.job.probe._on_deadly" in message
    assert 5 <= starts < 20


def test_callback_asks_again_under_the_same_key(served: World):
    with served.env(user=2) as env:
        (record,) = env["nameko.job.probe"].create([{"number": 1}])
        env["nameko.rpc"].delay_many(
            [record._request("probe", "add", on_result="_on_poll", identity_key="poll")]
        )
    wait_until(lambda: served.hits() == {5: 1})
    assert served.wait_until_finished() == {"done": 5}
