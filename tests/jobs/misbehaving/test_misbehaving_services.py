"""Services that answer twice, never, with garbage or with a lot; queues that are purged."""

import time

import kombu
import pytest

from tests.jobs.misbehaving.test_locks import locked
from tests.jobs.world import World
from tests.waiting import wait_until
from tests.wire.raw import PERSISTENT, RawPublisher, long, short
from tests.wire.tables import table

MUCH = 1_000_000  # bytes of a log


@pytest.fixture
def rogue(world: World) -> World:
    world.start_rogue()
    world.start_relay()
    return world


def dead_letters(world: World) -> int:
    return world.vhost.messages(f"nameko_connector.dead-{world.identity}")


@pytest.mark.parametrize("behaviour", ["twice", "twice_different", "tomorrow"])
def test_first_answer_counts_once(rogue: World, behaviour: str):
    rogue.make(50, method=behaviour, service="rogue")
    assert rogue.wait_until_finished() == {"done": 50}
    wait_until(lambda: rogue.vhost.messages("rpc-rogue") == 0)
    rogue.make(1, method="twice", service="rogue")  # behind all second answers
    rogue.wait_until_finished()
    assert rogue.hits() == {1: 51}
    assert rogue.sql("SELECT sum(coalesce(failures, 0)) FROM nameko_job_probe") == [(0,)]


def test_garbage_fails_its_job_and_is_kept(rogue: World):
    rogue.make(14, method="garbled", service="rogue")
    rogue.make(5, method="twice", service="rogue")
    assert rogue.wait_until_finished() == {"failed": 14, "done": 5}
    assert rogue.sql("SELECT DISTINCT error_type FROM nameko_job WHERE state = 'failed'") == [
        ("UncertainOutcome",)
    ]
    assert rogue.sql("SELECT sum(failures) FROM nameko_job_probe") == [(14,)]
    wait_until(lambda: dead_letters(rogue) == 14)


def test_large_answers_full_of_small_lists_hold_up_nobody(rogue: World):
    """Reading one would take seconds, in which nothing else runs."""
    rogue.make(6, method="dense", service="rogue")
    rogue.make(50, method="twice", service="rogue")
    assert rogue.wait_until_finished() == {"failed": 6, "done": 50}
    ((message,),) = rogue.sql(
        "SELECT DISTINCT error_message FROM nameko_job WHERE state = 'failed'"
    )
    assert "more than 1,000,000 values" in message
    wait_until(lambda: dead_letters(rogue) == 6)
    (relay,) = [program for program in rogue.programs if program.name == "relay"]
    assert relay.log.stat().st_size < MUCH
    assert not relay.logged("connects again")


def test_reply_to_no_job_is_set_aside(rogue: World):
    rogue.make(3, method="to_nobody", service="rogue", timeout=1, max_attempts=1)
    wait_until(lambda: dead_letters(rogue) == 3)
    assert rogue.wait_until_finished() == {"failed": 3}


@pytest.mark.parametrize("odd", ["array", "count", "properties"])
def test_odd_reply_to_no_job_ends_no_queue(rogue: World, odd: str):
    """RabbitMQ 3.10 ends a queue that dead-letters a message with an odd `x-death`."""
    text = b"S" + long(b"x")
    death = {
        "array": b"A" + long(text),
        "count": b"A" + long(b"F" + table([(b"queue", text), (b"count", text)])),
        "properties": text,
    }[odd]
    properties = {"headers": table([(b"x-death", death)]), "delivery_mode": PERSISTENT}
    if odd == "properties":
        properties |= dict.fromkeys(("content_type", "correlation_id"), short(b"\xff" * 255))
    publisher = RawPublisher(rogue.amqp_uri)
    publisher.publish(b"", rogue.reply_queue.encode(), properties, b"no reply")
    publisher.close()
    wait_until(lambda: dead_letters(rogue) == 1)
    rogue.make(3, method="twice", service="rogue")
    assert rogue.wait_until_finished() == {"done": 3}
    assert not rogue.reconnects()


def test_flood_of_parked_replies_holds_up_no_true_one(world: World):
    world.start_service()
    (record,) = world.make(1)
    with locked(world, "nameko_job_probe", f"id = {record}"):
        world.start_relay()
        parked = f"nameko_connector.parked-{world.identity}"
        wait_until(lambda: len(world.ran()) == 1)
        publisher = RawPublisher(world.amqp_uri)
        for number in range(600):
            name = f"00000000-0000-4000-8000-{number:012}"
            tomorrow = int(time.time() + 86400).to_bytes(8, "big")
            properties = {"correlation_id": short(name.encode()), "timestamp": tomorrow}
            publisher.publish(b"", parked.encode(), properties, b"1")
        publisher.close()
    assert world.wait_until_finished() == {"done": 1}
    wait_until(lambda: dead_letters(world) == 600)


def test_odd_message_among_parked_replies_ends_no_queue(world: World):
    """Anybody may publish there: the broker must not dead-letter from it either."""
    world.start_service()
    ids = world.make(10, timeout=60, max_attempts=1)
    with locked(world, "nameko_job_probe", f"id <= {ids[-1]}"):
        world.start_relay()
        parked = f"nameko_connector.parked-{world.identity}"
        wait_until(lambda: len(world.ran()) == 10)
        publisher = RawPublisher(world.amqp_uri)
        death = table([(b"x-death", b"A" + long(b"S" + long(b"x")))])
        properties = {"headers": death, "delivery_mode": PERSISTENT}
        publisher.publish(b"", parked.encode(), properties, b"no reply")
        publisher.close()
        wait_until(lambda: dead_letters(world) == 1)
    assert world.wait_until_finished() == {"done": 10}
    assert not world.reconnects()


def test_no_answer_is_asked_for_again_and_then_failed(rogue: World):
    rogue.make(5, method="never", service="rogue", timeout=0.5, max_attempts=2, retry_delays=[0.5])
    assert rogue.wait_until_finished() == {"failed": 5}
    assert rogue.sql("SELECT DISTINCT attempts, error_type FROM nameko_job") == [(2, "CallTimeout")]
    assert rogue.sql("SELECT sum(failures) FROM nameko_job_probe") == [(5,)]


def test_purged_requests_are_sent_again(world: World):
    world.start_service().kill()
    world.start_relay()
    world.make(30, timeout=3, retry_delays=[0.1])
    wait_until(lambda: world.vhost.messages("rpc-probe") == 30)
    world.vhost.purge("rpc-probe")
    world.start_service()
    assert world.wait_until_finished() == {"done": 30}
    assert world.hits() == {1: 30}


def test_unexecuted_requests_do_not_pile_up(world: World):
    """A request that was not taken within its timeout is not run besides the next one."""
    world.start_service().kill()
    world.start_relay()
    world.make(10, timeout=1, max_attempts=9, retry_delays=[0.1])
    wait_until(lambda: world.sql("SELECT min(attempts) FROM nameko_job") == [(3,)])
    world.start_service()
    assert world.wait_until_finished() == {"done": 10}
    assert sorted(world.ran()) == sorted(set(world.ran()))


def test_large_results(served: World):
    served.make(3, method="large", on_result="_on_text")
    with served.env(user=2) as env:
        record = env["nameko.job.probe"].create({"number": 10})
        env["nameko.rpc"].delay_many([record._request("probe", "large", on_result="_on_text")])
    assert served.wait_until_finished() == {"done": 4}
    assert served.sql("SELECT text FROM nameko_job_probe WHERE number = 10") == [("10000000",)]


def test_exception_of_the_service_fails_the_job(served: World):
    served.make(3, method="fail")
    assert served.wait_until_finished() == {"failed": 3}
    assert served.sql("SELECT DISTINCT error_type FROM nameko_job") == [("ValueError",)]
    ((error,),) = served.sql("SELECT error FROM nameko_job_probe WHERE number = 2")
    assert error == "RemoteError: probe.fail answered with an error: 2 is not to my taste"


def test_exception_that_may_pass_is_tried_again(served: World):
    served.make(5, method="fail_first", retry_on=["LookupError"], retry_delays=[0.1])
    assert served.wait_until_finished() == {"done": 5}
    assert served.sql("SELECT DISTINCT attempts FROM nameko_job") == [(2,)]
    assert served.hits() == {1: 5}


def test_service_that_comes_later_gets_its_jobs(world: World):
    world.start_relay()
    world.make(5, retry_delays=[0.5], max_attempts=100)
    wait_until(lambda: world.sql("SELECT min(attempts) FROM nameko_job")[0][0] >= 1)
    world.start_service()
    assert world.wait_until_finished() == {"done": 5}


def test_service_that_never_comes_fails_its_jobs(world: World):
    world.start_relay()
    world.make(5, service="nobody", retry_delays=[0.1], max_attempts=2)
    assert world.wait_until_finished() == {"failed": 5}
    assert world.sql("SELECT DISTINCT error_type FROM nameko_job") == [("UnknownService",)]


def test_request_that_the_broker_refuses_is_no_attempt(world: World):
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    exchange = kombu.Exchange("nameko-rpc", "topic", durable=True)
    with kombu.Connection(world.amqp_uri) as connection:
        kombu.Queue("rpc-full", exchange, "full.*", queue_arguments=full)(connection).declare()
    world.start_relay()
    world.make(3, service="full", retry_delays=[0.2], max_attempts=1)
    again = "SELECT count(*) FROM nameko_job WHERE state = 'pending' AND eta IS NOT NULL"
    wait_until(lambda: world.sql(again) == [(2,)])
    rows = world.sql("SELECT state, attempts, sent_at IS NULL FROM nameko_job ORDER BY id")
    assert rows == [("sent", 1, False), ("pending", 0, True), ("pending", 0, True)]


def test_reply_queue_may_be_of_another_type(world: World):
    world.start_relay().terminate()
    world.vhost.delete_queue(world.reply_queue)
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 20}
    with kombu.Connection(world.amqp_uri) as connection:
        kombu.Queue(world.reply_queue, queue_arguments=arguments)(connection).declare()
    world.start_relay()
    world.start_service()
    world.make(20)
    assert world.wait_until_finished() == {"done": 20}
    assert world.vhost.queues()[world.reply_queue]["type"] == "quorum"


def test_progress_queue_may_be_a_stream(world: World):
    """To consume a stream without acknowledgements closes the connection."""
    world.start_relay().terminate()
    queue = f"nameko_connector.progress-{world.identity}"
    world.vhost.delete_queue(queue)
    stream = kombu.Queue(queue, queue_arguments={"x-queue-type": "stream"})
    with kombu.Connection(world.amqp_uri) as connection:
        stream(connection).declare()
        world.start_relay()
        service = world.start_service()
        service.freeze()
        world.make(1)
        wait_until(lambda: world.states() == {"sent": 1})
        ((uuid,),) = world.sql("SELECT uuid FROM nameko_job")
        event = {"job": uuid, "progress": 0.25}
        connection.Producer().publish(event, routing_key=queue, serializer="json")
        wait_until(lambda: world.sql("SELECT progress FROM nameko_job") == [(25,)])
        service.thaw()
    assert world.wait_until_finished() == {"done": 1}
    assert world.reconnects() == []


def test_error_in_a_callback_fails_its_job_alone(served: World):
    with served.env(user=2) as env:
        records = env["nameko.job.probe"].browse(env["nameko.job.probe"].make(20))
        records[3].is_refusing = True
    assert served.wait_until_finished() == {"done": 19, "failed": 1}
    with served.env(user=2) as env:
        job = env["nameko.job"].search([("state", "=", "failed")])
        assert (job.error_message, job.get_result()) == ("This record takes no results.", 4)
        records = records.with_env(env)
        records[3].is_refusing = False
        job.action_apply_again()
    assert served.states() == {"done": 20}
    assert served.hits() == {1: 20}
    assert len(served.ran()) == 20  # nothing was computed again
