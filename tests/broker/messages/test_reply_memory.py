"""Replies to jobs are held up to a number of bytes, however many the broker would deliver."""

import uuid

import kombu
import pytest
from broker import BrokerConfig
from broker.jobs import consumer as jobs_consumer
from broker.jobs import reply as jobs_reply
from broker.jobs.consumer import Consumer, reply_queue

from tests.vhosts import Vhost
from tests.waiting import wait_until

SIZE, COUNT = 200_000, 60  # bytes of a reply; how many wait
MOST = 1_000_000  # bytes in hand, and one more message
AT_ONCE = 500_000  # bytes taken together, and one more message


@pytest.fixture
def consumer(vhost: Vhost, monkeypatch: pytest.MonkeyPatch):
    """A consumer with small limits, for which replies wait."""
    monkeypatch.setattr(jobs_consumer, "MOST_BYTES", MOST)
    monkeypatch.setattr(jobs_consumer, "BYTES_AT_ONCE", AT_ONCE)
    identity = uuid.uuid4().hex
    body = '{"result": "' + "x" * SIZE + '", "error": null}'
    with (
        Consumer(BrokerConfig(vhost.amqp_uri), identity) as consumer,
        kombu.Connection(vhost.amqp_uri) as connection,
    ):
        producer = connection.Producer()
        for _ in range(COUNT):
            producer.publish(
                body,
                routing_key=reply_queue(identity),
                content_type="application/json",
                content_encoding="utf-8",
                correlation_id=f"{uuid.uuid4()}:1",
            )
        yield consumer


def fill(consumer: Consumer) -> None:
    """Read until it is full, or nothing more waits in the broker."""

    def is_read() -> bool:
        consumer.drain()
        return consumer.is_full or consumer.received == COUNT

    wait_until(is_read)


def test_no_more_is_read_than_there_is_room_for(consumer: Consumer):
    fill(consumer)
    for _ in range(5):
        consumer.drain()
    assert consumer.is_full
    assert consumer.received * SIZE < MOST + 2 * SIZE


def test_a_few_large_ones_are_taken_together(consumer: Consumer):
    fill(consumer)
    taken = consumer.take(COUNT)
    assert 0 < len(taken) * SIZE <= AT_ONCE + SIZE


def test_all_are_read_in_the_end(consumer: Consumer):
    taken = 0
    while taken < COUNT:
        fill(consumer)
        deliveries = [delivery for delivery, _ in consumer.take(COUNT)]
        consumer.ack(deliveries)
        taken += len(deliveries)
    assert not consumer.is_full


def test_none_is_read_before_its_job_is_known(consumer: Consumer, monkeypatch: pytest.MonkeyPatch):
    read, reads = jobs_reply._read, []
    monkeypatch.setattr(jobs_reply, "_read", lambda *args: reads.append(1) or read(*args))
    fill(consumer)
    replies = [reply for _, reply in consumer.take(COUNT)]
    assert not reads
    assert {len(reply.result) for reply in replies} == {SIZE}
    assert len(reads) == len(replies)
