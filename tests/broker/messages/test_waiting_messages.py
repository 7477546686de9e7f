"""What waits in a queue is taken at once, also when it comes together with an awaited answer."""

import json

import amqp
from broker import BrokerConfig
from broker.beats.listener import EXCHANGE, BeatsListener, beats_queue

from tests.broker.messages.test_beats import BEAT
from tests.processes import HOST
from tests.vhosts import Vhost
from tests.waiting import wait_until

ROUNDS = 20
BEFORE_A_HEARTBEAT = 5.0  # s: AMQP's own would bring the rest along


def test_beats_that_wait_are_taken_without_another_one(vhost: Vhost):
    for _ in range(ROUNDS):
        BeatsListener(BrokerConfig(vhost.amqp_uri), "here").close()
        send(vhost, 3)
        with BeatsListener(BrokerConfig(vhost.amqp_uri), "here") as listener:
            wait_until(lambda found=[]: has_all(listener, found, 3), seconds=BEFORE_A_HEARTBEAT)


def has_all(listener: BeatsListener, found: list, count: int) -> bool:
    listener.drain()
    found += listener.take()
    return len(found) == count


def send(vhost: Vhost, count: int) -> None:
    """Send so many beats and wait until they are in the queue."""
    host = f"{HOST}:{vhost.port}"
    with amqp.Connection(host, virtual_host=vhost.name) as connection:
        channel = connection.channel()
        for _ in range(count):
            message = amqp.Message(json.dumps(BEAT), content_type="application/json")
            channel.basic_publish_confirm(message, EXCHANGE, "beat")
        queue = beats_queue("here")
        wait_until(lambda: channel.queue_declare(queue, passive=True).message_count == count)
