"""A raw AMQP RPC server: `python -m tests.bench.peers.raw_server AMQP_URI` adds two numbers."""

import json
import sys

import amqp
from kombu.utils.url import parse_url

QUEUE = "raw-rpc"


def connection(uri: str) -> amqp.Connection:
    parts = parse_url(uri)
    made = amqp.Connection(
        f"{parts['hostname']}:{parts['port'] or 5672}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"] or "/",
    )
    made.connect()
    return made


def main(uri: str) -> None:
    channel = connection(uri).channel()

    def answer(message: amqp.Message) -> None:
        first, second = json.loads(message.body)
        reply = amqp.Message(
            json.dumps(first + second), correlation_id=message.properties["correlation_id"]
        )
        channel.basic_publish(reply, "", message.properties["reply_to"])

    channel.queue_declare(QUEUE, exclusive=True)
    channel.basic_consume(QUEUE, no_ack=True, callback=answer)
    while True:
        channel.connection.drain_events()


if __name__ == "__main__":
    main(sys.argv[1])
