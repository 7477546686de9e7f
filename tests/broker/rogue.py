"""A service `rogue` in a thread of the tests, which answers with the messages of a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import amqp

from tests.processes import HOST
from tests.vhosts import Vhost
from tests.wire.raw import RawPublisher, Refused, short

EXCHANGE, QUEUE = "nameko-rpc", "rpc-rogue"
JSON = short(b"application/json")
Properties = dict[str, bytes]  # by name, as they are encoded in AMQP
Answer = tuple[Properties, bytes]  # and the body
Answering = Callable[[bytes], list[Answer]]  # by the request's correlation id


def answer(correlation_id: bytes, body: bytes, **properties: bytes) -> Answer:
    """Return a reply as Nameko sends it, except for the given properties."""
    sent = {"content_type": JSON, "correlation_id": short(correlation_id), **properties}
    return sent, body


@contextmanager
def running_rogue(vhost: Vhost, methods: dict[str, Answering]) -> Iterator[None]:
    """Answer the methods while the block runs."""
    host = f"{HOST}:{vhost.port}"
    publisher, over = RawPublisher(vhost.amqp_uri), threading.Event()
    with amqp.Connection(host, virtual_host=vhost.name) as connection:
        channel = connection.channel()

        def on_request(message: Any) -> None:
            method = message.delivery_info["routing_key"].partition(".")[2]
            for properties, body in methods[method](message.correlation_id.encode()):
                try:
                    key = message.reply_to.encode()
                    publisher.publish(EXCHANGE.encode(), key, properties, body)
                except Refused:  # the caller gets no reply, and the test shows it
                    continue

        _consume(channel, on_request)
        thread = threading.Thread(target=_drain, args=(connection, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            publisher.close()


def _consume(channel: Any, on_request: Callable[[Any], None]) -> None:
    channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
    channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    channel.queue_bind(QUEUE, EXCHANGE, "rogue.*")
    channel.basic_consume(QUEUE, no_ack=True, callback=on_request)


def _drain(connection: Any, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.1)
