"""The broker's exchanges, queues and bindings that a service needs: used where they can be, kept.

When somebody deletes an exchange, RabbitMQ deletes its bindings, too, and tells nobody: the queues
behind it get nothing any more, and their consumers seem well. So all is declared again from time to
time.
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
    """What one service uses over its open connection.

    Its methods wait for the broker: call them where the connection is read.
    """

    def __init__(self, service: str, largest: int) -> None:
        self._service, self._largest = service, largest
        self._connection: Any = None
        self._declare_at = 0.0

    def open(self, connection: Any) -> None:
        """Use a new connection, over which all has been declared."""
        self._connection = connection
        self._declare_at = time.monotonic() + DECLARE_SECONDS

    def close(self) -> None:
        """Use it no longer: it is lost."""
        self._connection = None

    def use(self, what: str, use: Callable[[Any], None]) -> None:
        """Call `use` with a channel of its own; where the broker refuses that, go without."""
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
        """Whether it is time to declare all again."""
        return self._connection is not None and time.monotonic() >= self._declare_at

    def declare(self, queues: Iterable[Any]) -> None:
        """Declare queues, their exchanges and bindings; what the broker has named is bound."""
        self._declare_at = time.monotonic() + DECLARE_SECONDS
        for queue in queues:
            self.use(f"the queue {queue.name}", partial(_declare, queue))


def _declare(queue: Any, channel: Any) -> None:
    bound = queue(channel)
    if queue.name.startswith("amq."):  # nobody may declare such a name
        bound.exchange.declare()
        bound.queue_bind()
    else:
        bound.declare()
    channel.close()
