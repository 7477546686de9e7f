"""Consumes queues that a service can do without: suspects, and events of cancelled jobs."""

from functools import partial
from typing import Any

from kombu.messaging import Consumer

from services.cancelling import cancellations, events_queue
from services.messaging.topology import Topology

EVENTS_AT_ONCE = 100  # of cancelled jobs


class OptionalConsumers:
    """Consumes the suspects and, once in a process, the events of cancelled jobs.

    owner: the `QueueConsumer` whose connection they use
    """

    def __init__(self, owner: Any, topology: Topology) -> None:
        self._owner, self._topology = owner, topology
        self._suspects: Consumer | None = None
        self._cancelled: Consumer | None = None

    def consume(self, *, suspects: bool) -> None:
        """Consume on a new connection. suspects: whether to consume the suspects, too."""
        self._suspects = self._cancelled = None
        if suspects:
            self._topology.use("suspects and dead letters", self._consume_suspects)
        if cancellations.heard_by in (None, self._owner):
            self._topology.use("events of cancelled jobs", self._consume_cancellations)

    @property
    def takes_suspects(self) -> bool:
        """Whether it consumes its service's queue of suspects."""
        return self._suspects is not None

    def queues(self) -> list[Any]:
        """Return the queues that it consumes or publishes to."""
        queues = list(self._cancelled.queues or []) if self._cancelled is not None else []
        if self.takes_suspects:
            queues += [self._owner.counter.suspects_queue, self._owner.counter.dead_queue]
        return queues

    def cancel_suspects(self) -> None:
        """Stop consuming the suspects."""
        if self._suspects is not None:
            self._suspects.cancel()
            self._suspects = None

    def lose(self) -> None:
        """Note that the connection is lost; another consumer may take over the events."""
        if cancellations.heard_by is self._owner:
            cancellations.heard_by = None

    def _consume_suspects(self, channel: Any) -> None:
        counter = self._owner.counter
        counter.dead_queue(channel).declare()
        consumer = Consumer(
            channel,
            [counter.suspects_queue],
            on_message=partial(self._owner.on_message, None),
            on_decode_error=self._owner.on_decode_error,
            accept=self._owner.accept,
        )
        consumer.qos(prefetch_count=1)
        consumer.consume()
        self._suspects = consumer

    def _consume_cancellations(self, channel: Any) -> None:
        consumer = Consumer(channel, [events_queue()], on_message=cancellations.on_event)
        consumer.qos(prefetch_count=EVENTS_AT_ONCE)  # many events must not block requests
        consumer.consume()
        self._cancelled = consumer
        cancellations.heard_by = self._owner
