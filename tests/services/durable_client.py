"""A client that sends requests with a durable reply queue, as the relay does."""

import json
import uuid
from typing import Any

from kombu import Connection, Exchange, Queue

from tests.waiting import PATIENCE, wait_until


class DurableClient:
    """Publishes requests with confirms and reads the replies from a durable queue of its own."""

    def __init__(self, amqp_uri: str) -> None:
        self.amqp_uri = amqp_uri
        self.reply_to = str(uuid.uuid4())
        self.exchange = Exchange("nameko-rpc", "topic", durable=True)
        self.queue = Queue(f"replies-{self.reply_to}", self.exchange, self.reply_to, durable=True)
        self.replies: dict[str, list[Any]] = {}
        with self._connect() as connection:
            self.queue(connection.default_channel).declare()

    def _connect(self) -> Connection:
        return Connection(self.amqp_uri, transport_options={"confirm_publish": True})

    def request(self, method: str, *calls: tuple[Any, ...], **headers: str) -> list[str]:
        """Publish a request for each of `calls`; return their correlation ids when confirmed."""
        ids = [str(uuid.uuid4()) for _ in calls]
        with self._connect() as connection:
            producer = connection.Producer()
            for correlation_id, args in zip(ids, calls, strict=True):
                producer.publish(
                    {"args": args, "kwargs": {}},
                    exchange=self.exchange,
                    routing_key=method,
                    reply_to=self.reply_to,
                    correlation_id=correlation_id,
                    delivery_mode=2,
                    mandatory=True,
                    serializer="json",
                    headers=headers,
                )
        return ids

    def wait_for(self, ids: list[str], timeout: float = PATIENCE) -> list[Any]:
        """Return the first reply of each request, in order."""
        wait_until(lambda: set(ids) <= set(self.take()), seconds=timeout)
        return [self.replies[correlation_id][0] for correlation_id in ids]

    def take(self) -> dict[str, list[Any]]:
        """Return every reply so far, by correlation id."""
        with self._connect() as connection:
            queue = self.queue(connection.default_channel)
            while message := queue.get(no_ack=True):
                reply = json.loads(message.body)
                self.replies.setdefault(message.properties["correlation_id"], []).append(reply)
        return self.replies


def results(replies: list[dict[str, Any]]) -> list[Any]:
    """Return the results of replies; none may be an error."""
    assert all(reply["error"] is None for reply in replies), replies
    return [reply["result"] for reply in replies]


def progress_of(amqp_uri: str, count: int) -> list[dict[str, Any]]:
    """Return the next `count` progress events."""
    events: list[dict[str, Any]] = []
    with Connection(amqp_uri) as connection:
        queue = _progress_queue(connection)
        with connection.Consumer(
            queue, callbacks=[lambda body, _: events.append(body)], no_ack=True
        ):
            while len(events) < count:
                connection.drain_events(timeout=20)
    return events


def _progress_queue(connection: Connection) -> Queue:
    exchange = Exchange("compute.events", "topic", durable=True)
    return Queue("", exchange, "progress", exclusive=True, channel=connection)
