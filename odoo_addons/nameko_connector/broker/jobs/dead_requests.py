"""Reply with an error to requests that the broker has given up.

This is for services in Nameko's own container, which does not count deliveries. Their queues are
quorum queues with a policy: a delivery limit, and dead-lettering to `nameko.dead-requests`. This
exchange routes requests that exceeded the limit to two queues. One keeps them for administrators.
The other is consumed here: each request gets an error reply, so that its caller or job fails with
a reason. Expired requests are dropped: nobody waits for their replies.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import amqp

from ..amqp.config import BrokerConfig
from ..amqp.connecting import BROKER_LOST
from ..amqp.errors import RpcError
from ..amqp.link import Link
from ..amqp.names import EXCHANGE
from ..amqp.publishing import ConfirmingPublisher
from .moving import OF_DEAD_LETTERS

_logger = logging.getLogger(__name__)
DEAD_EXCHANGE = "nameko.dead-requests"
KEPT = "nameko.dead.requests"  # services use `nameko.dead-<service>`
UNANSWERED = "nameko.dead.unanswered"
OF_THE_LIMIT = {"x-match": "all-with-x", "x-first-death-reason": "delivery_limit"}
MOST_AT_ONCE = 50  # answered in one turn
AGAIN_SECONDS = 30.0  # until the next attempt to connect
PATIENCE = 2.0  # s that one turn may take
TURN_SECONDS = 1.0  # between two turns


class DeadRequestsLink(Link):
    """Consumes dead-lettered requests, and publishes error replies."""

    def _set_up(self, channel: Any) -> None:
        self._waiting: deque[Any] = deque()
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        channel.exchange_declare(DEAD_EXCHANGE, "headers", durable=True, auto_delete=False)
        for queue in (KEPT, UNANSWERED):
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=OF_DEAD_LETTERS)
            channel.queue_bind(queue, DEAD_EXCHANGE, arguments=OF_THE_LIMIT)
        self._publisher = ConfirmingPublisher(channel)
        self._publisher.select()
        channel.basic_qos(0, MOST_AT_ONCE, False)
        channel.basic_consume(UNANSWERED, callback=self._waiting.append)

    def answer_all(self) -> None:
        """Reply to the requests that have arrived."""
        self.drain()
        self.allow(PATIENCE)
        while self._waiting:
            self._settle(self._waiting.popleft())

    def _settle(self, message: Any) -> None:
        info = message.delivery_info
        if info["redelivered"]:  # ack first, so that a failing reply is not retried for ever
            self._channel.basic_ack(info["delivery_tag"])
            self._answer(message)
        else:
            self._answer(message)
            self._channel.basic_ack(info["delivery_tag"])

    def _answer(self, message: Any) -> None:
        reply_to = message.properties.get("reply_to")
        name = name_of(message)
        _logger.error("The broker has given up the request %s: it is in the queue %s", name, KEPT)
        if reply_to:
            try:
                self._publish(reply_to, answer_to(message, name))
            except ValueError as error:  # its properties cannot be used in a reply
                _logger.warning("The request %s cannot be answered: %s", name, error)

    def _publish(self, reply_to: str, reply: amqp.Message) -> None:
        texts = (reply_to, reply.properties["correlation_id"] or "")
        if any(len(text.encode()) > 255 for text in texts):  # noqa: PLR2004 (AMQP's short text)
            raise ValueError("its sender or its correlation id is no text")
        self._publisher.publish(reply, EXCHANGE, reply_to, mandatory=False)
        while self._publisher.is_waiting:
            self._connection.drain_events()


def name_of(message: Any) -> str:
    """Return the routing key and correlation id of a request, as one line for logs and replies."""
    texts = (message.delivery_info["routing_key"], message.properties.get("correlation_id", ""))
    name = " ".join(str(text) for text in texts).rstrip()
    return "".join(each if each.isprintable() else "?" for each in name)


def answer_to(message: Any, name: str) -> amqp.Message:
    """Return a Nameko reply with the error that a request was given up."""
    text = (
        f"The request {name} is given up: the process that ran it ended, as often as the broker's "
        f"delivery limit allows. It is kept in the queue {KEPT}. Look for what ended the processes "
        "in their logs, and repair that, or request something else."
    )
    kind = "RequestGivenUp"
    error = {"exc_type": kind, "exc_path": kind, "exc_args": [text], "value": text}
    return amqp.Message(
        json.dumps({"result": None, "error": error}),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        correlation_id=message.properties.get("correlation_id"),
    )


@contextlib.contextmanager
def answering_dead_requests(config: BrokerConfig) -> Iterator[None]:
    """Reply to dead-lettered requests in a separate thread while the block runs."""
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(config, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(2 * PATIENCE)


def _answer(config: BrokerConfig, over: threading.Event) -> None:
    dead_requests = DeadRequests(config)
    try:
        while not over.wait(TURN_SECONDS):
            dead_requests.turn()
    finally:
        dead_requests.close()


class DeadRequests:
    """Replies to dead-lettered requests; reopens its connection after it was lost."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config
        self._link: DeadRequestsLink | None = None
        self._connect_at = 0.0

    def turn(self) -> None:
        """Reply to the requests that have arrived; log errors of the broker."""
        try:
            if self._link is None and time.monotonic() >= self._connect_at:
                self._connect_at = time.monotonic() + AGAIN_SECONDS
                self._link = DeadRequestsLink(self._config)
            if self._link is not None:
                self._link.answer_all()
        except (RpcError, *BROKER_LOST) as error:
            _logger.warning("Requests that the broker gave up are not answered: %s", error)
            self.close()

    def close(self) -> None:
        """Close the connection."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(*BROKER_LOST):
                link.close()
