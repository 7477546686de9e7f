"""Jobs whose requests are too large, and batches that are."""

import pytest

from tests.broker_limit import largest_message
from tests.jobs.world import World
from tests.waiting import wait_until

LIMIT = {"NAMEKO_MAX_MESSAGE_BYTES": "1000000"}
ERRORS = "SELECT error_type, attempts FROM nameko_job WHERE state = 'failed' ORDER BY id"


def make_texts(world: World, sizes: list[int], **options) -> list[int]:
    """Make a job for each size, which has a text of so many characters as its argument."""
    from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

    with world.env(user=2) as env:
        records = env["nameko.job.probe"].create([{"number": size} for size in sizes])
        env["nameko.rpc"].delay_many(
            JobRequest(
                "probe",
                "length",
                ("x" * record.number,),
                {},
                JobOptions(record=record, on_result="_on_sum", on_error="_on_failure", **options),
            )
            for record in records
        )
        return list(records.ids)


def lengths(world: World) -> int:
    query = "SELECT count(*) FROM nameko_job_probe WHERE result = number AND hits = 1"
    return world.sql(query)[0][0]


def test_a_request_that_is_too_large_is_refused_where_the_job_is_made(world: World):
    from odoo.addons.nameko_connector.exceptions import MessageTooLarge  # noqa: PLC0415

    with pytest.raises(MessageTooLarge, match="16,000,028 bytes, and 15,000,000"):
        make_texts(world, [1, 16_000_000])
    assert world.states() == {}


def test_results_of_earlier_jobs_that_are_too_large_fail_their_job_alone(world: World):
    from odoo.addons.nameko_connector.tools.job_request import JobOptions, JobRequest  # noqa: PLC0415

    world.start_relay(**LIMIT)
    world.start_service()
    with world.env(user=2) as env:
        rpc, record = env["nameko.rpc"], env["nameko.job.probe"].create({"number": 1})
        large = rpc.delay_many([JobRequest("probe", "large", (0.4, 0))] * 3)
        for after in (large[:2], large):
            options = JobOptions(
                record=record, on_result="_on_sum", on_error="_on_failure", after=after
            )
            rpc.delay_many([JobRequest("probe", "total_length", (), {}, options)])
    world.make(20)
    assert world.wait_until_finished() == {"done": 24, "failed": 1}
    assert world.sql(ERRORS) == [("MessageTooLarge", 0)]
    ((hits, failures, error),) = world.sql(
        "SELECT hits, failures, error FROM nameko_job_probe WHERE number = 1 AND result = 800000"
    )
    assert (hits, failures) == (1, 1)
    assert "1,200," in error
    assert "1,000,000" in error


@pytest.mark.parametrize("large", [[0], [7], [3, 4, 19], list(range(20))])
def test_what_the_broker_refuses_fails_and_nothing_is_sent_twice(
    faults, world: World, large: list[int]
):
    """Its limit is lower than ours: it closes the channel in the middle of a batch."""
    sizes = [200_000 if number in large else number for number in range(20)]
    with largest_message(100_000):
        world.start_service()
        make_texts(world, sizes)
        relay = world.start_relay()
        states = {"done": 20 - len(large), "failed": len(large)}
        assert world.wait_until_finished() == {k: n for k, n in states.items() if n}
        make_texts(world, [150_000])  # the limit is known by now
        wait_until(lambda: world.states()["failed"] == len(large) + 1)
    assert world.sql(ERRORS) == [*[("MessageTooLarge", 1)] * len(large), ("MessageTooLarge", 0)]
    assert lengths(world) == 20 - len(large)
    assert len(world.ran()) == 20 - len(large)
    texts = world.sql("SELECT error FROM nameko_job_probe WHERE failures = 1")
    assert len(texts) == len(large) + 1
    assert all("NAMEKO_MAX_MESSAGE_BYTES to 100,000" in text for (text,) in texts)
    assert relay.output.count("The broker refuses a request") == 1


def test_many_large_requests_are_sent(world: World):
    """200 MB, of which a batch holds one or two."""
    world.start_service()
    relay = world.start_relay()
    make_texts(world, [4_000_000] * 50)
    assert world.wait_until_finished(120) == {"done": 50}
    assert len(world.ran()) == 50
    assert "connects again" not in relay.output
