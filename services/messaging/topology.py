"""Keeps the exchanges, queues and bindings that a service needs declared.

When somebody deletes an exchange, RabbitMQ also deletes its bindings, and notifies no client: the
queues behind it get no more messages, while their consumers look healthy. So everything is declared
again every DECLARE_SECONDS.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from services.messaging.reading import read_messages

logger = logging.getLogger(__name__)
DECLARE_SECONDS = 10.0  # between two declarations


class Topology:
    """Declares and uses what one service needs at the broker, over its open connection.

    Its methods wait for the broker: call them in the greenlet that reads the connection.
    """

    def __init__(self, service: str, largest: int) -> None:
        self._service, self._largest = service, largest
        self._connection: Any = None
        self._declare_at = 0.0

    def open(self, connection: Any) -> None:
        """Use a new connection, on which everything was just declared."""
        self._connection = connection
        self._declare_at = time.monotonic() + DECLARE_SECONDS

    def close(self) -> None:
        """Stop using the connection: it is lost."""
        self._connection = None

    def use(self, what: str, use: Callable[[Any], None]) -> None:
        """Call `use` with a channel of its own; if the broker refuses it, log that and go on."""
        channel = self._connection.channel()
        read_messages(channel, self._largest)
        try:
            use(channel)
        except self._connection.channel_errors as error:
            logger.warning("%s goes without %s: %s", self._service, what, error)
            with suppress(*self._connection.channel_errors):
                channel.close()

    @property
    def is_due(self) -> bool:
        """Whether it is time to declare everything again."""
        return self._connection is not None and time.monotonic() >= self._declare_at

    def declare(self, queues: Iterable[Any]) -> None:
        """Declare queues, exchanges and bindings; queues that the broker named are only bound."""
        self._declare_at = time.monotonic() + DECLARE_SECONDS
        for queue in queues:
            self.use(f"the queue {queue.name}", partial(_declare, queue))


def _declare(queue: Any, channel: Any) -> None:
    bound = queue(channel)
    if queue.name.startswith("amq."):  # clients may not declare such a name
        bound.exchange.declare()
        bound.queue_bind()
    else:
        bound.declare()
    channel.close()
