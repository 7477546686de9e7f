"""The base class of the relay's connections: long-lived, with heartbeats."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import amqp
from typing_extensions import Self

from .config import BrokerConfig
from .connecting import BROKER_LOST, explained
from .deadline import Deadline
from .transport import DeadlineConnection

_logger = logging.getLogger(__name__)
HEARTBEAT = 20.0  # s; a frozen peer is noticed after two of these
PATIENCE = 10.0  # s that one operation may take
DRAIN_SECONDS = 0.5  # the most that one call of `drain` takes
UNUSED_SECONDS = 7 * 86_400  # after which the broker deletes an unused queue
TRANSIENT = "'durable'"  # in a refusal: the existing queue is not durable


class Link:
    """One connection with one channel. Single-threaded.

    Every method raises one of `BROKER_LOST` if the connection is broken or too slow. Discard the
    link then.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self.blocked = False
        self._connection = DeadlineConnection(config, Deadline(config.connect_timeout), HEARTBEAT)
        try:
            self._connect(config)
        except BaseException:
            self.discard()
            raise

    def _connect(self, config: BrokerConfig) -> None:
        """Raise BrokerUnreachable or AccessRefused."""
        with explained(config):
            self._connection.on_blocked = self._on_blocked
            self._connection.on_unblocked = self._on_unblocked
            self._connection.connect()
            self._channel = self._connection.channel()
            self._set_up(self._channel)

    def _set_up(self, channel: Any) -> None:
        """Declare queues and consume on the new channel; for subclasses."""

    def _declare_queue(self, name: str, arguments: dict[str, Any]) -> None:
        """Declare a durable queue; accept an existing one with other arguments."""
        with self._may_be_there_already(but_not=TRANSIENT) as channel:
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)

    def _declare_exchange(self, name: str) -> None:
        """Declare a durable topic exchange; accept an existing one of another type."""
        with self._may_be_there_already() as channel:
            channel.exchange_declare(name, "topic", durable=True, auto_delete=False)

    @contextlib.contextmanager
    def _may_be_there_already(self, but_not: str = "") -> Iterator[Any]:
        channel = self._connection.channel()
        try:
            yield channel
        except amqp.PreconditionFailed as error:  # the broker has closed the channel
            if but_not and but_not in str(error):
                raise
            _logger.info("An existing queue or exchange is used as it is: %s", error)
        else:
            channel.close()

    def _on_blocked(self, reason: str) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False

    def fileno(self) -> int:
        """Return the socket's file descriptor, for `select`."""
        return int(self._connection.transport.sock.fileno())

    def allow(self, seconds: float = PATIENCE) -> Deadline:
        """Set the deadline of the next operations to `seconds` from now; return it."""
        deadline = Deadline(seconds)
        self._connection.transport.deadline = deadline
        return deadline

    def drain(self) -> None:
        """Handle what has arrived, without waiting for more, and send a heartbeat if due."""
        self.allow()
        until = time.monotonic() + DRAIN_SECONDS
        with contextlib.suppress(ssl.SSLWantReadError):
            self._connection.drain_arrived(lambda: self._is_full() or time.monotonic() > until)
        self._connection.heartbeat_tick()

    def _is_full(self) -> bool:
        """Return whether `drain` must stop until received messages are processed."""
        return False

    def discard(self) -> None:
        """Close the socket without AMQP's closing handshake."""
        self._connection.discard()

    def close(self) -> None:
        """Close the connection with AMQP's closing handshake."""
        with contextlib.suppress(*BROKER_LOST):
            self.allow(2)
            self._connection.close()
        self.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
