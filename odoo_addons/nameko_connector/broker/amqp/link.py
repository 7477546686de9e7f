"""The relay's connections to the broker: long-lived, watched by heartbeats."""

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
HEARTBEAT = 20.0  # s; a frozen peer is noticed after twice as long
PATIENCE = 10.0  # s that one operation may take
DRAIN_SECONDS = 0.5  # at most, however much arrives
UNUSED_SECONDS = 7 * 86_400  # after which the queue of a database that nobody serves is deleted
TRANSIENT = "'durable'"  # in a refusal: the queue that is there does not outlive the broker


class Link:
    """One connection with one channel. Single-threaded.

    Every method raises one of `BROKER_LOST` where the connection is broken or too slow: discard the
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
        """Raises BrokerUnreachable or AccessRefused."""
        with explained(config):
            self._connection.on_blocked = self._on_blocked
            self._connection.on_unblocked = self._on_unblocked
            self._connection.connect()
            self._channel = self._connection.channel()
            self._set_up(self._channel)

    def _set_up(self, channel: Any) -> None:
        """What a subclass declares on its fresh channel."""

    def _declare_queue(self, name: str, arguments: dict[str, Any]) -> None:
        """Declare a durable queue; one that is there already may be of another kind."""
        with self._may_be_there_already(but_not=TRANSIENT) as channel:
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)

    def _declare_exchange(self, name: str) -> None:
        """Declare a durable topic exchange; one that is there already may be of another kind."""
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
            _logger.info("What is there is used as it is: %s", error)
        else:
            channel.close()

    def _on_blocked(self, reason: str) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False

    def fileno(self) -> int:
        """The socket, for `select`."""
        return int(self._connection.transport.sock.fileno())

    def allow(self, seconds: float = PATIENCE) -> Deadline:
        """Give what comes next so many seconds."""
        deadline = Deadline(seconds)
        self._connection.transport.deadline = deadline
        return deadline

    def drain(self) -> None:
        """Handle what has arrived, without waiting for more, and keep the heartbeat going."""
        self.allow()
        until = time.monotonic() + DRAIN_SECONDS
        with contextlib.suppress(ssl.SSLWantReadError):
            self._connection.drain_arrived(lambda: self._is_full() or time.monotonic() > until)
        self._connection.heartbeat_tick()

    def _is_full(self) -> bool:
        """Whether what has arrived must be taken before more is read."""
        return False

    def discard(self) -> None:
        """Close the socket without the closing handshake."""
        self._connection.discard()

    def close(self) -> None:
        """Close the connection in order."""
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
