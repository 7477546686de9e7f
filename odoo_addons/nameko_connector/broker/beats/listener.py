"""Consume heartbeats of services over a separate connection, so that they do not delay jobs."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from ..amqp.config import BrokerConfig
from ..amqp.link import UNUSED_SECONDS, Link
from ..jobs.consumer import delivery_of
from ..jobs.reply import Delivery
from .beat import MOST_BYTES, Beat, read_beat

EXCHANGE = "heartbeat.events"
EVENT = "beat"
PREFETCH = 100  # unacknowledged beats, 25 MiB at most
MOST_BEATS = 5_000  # in the queue, which keeps the newest
BEAT_SECONDS = 120  # after which a beat expires in the queue


def beats_queue(identity: str) -> str:
    """Return the queue of beats for the relays of a database, or for its scheduled action."""
    return f"nameko_connector.beats-{identity}"


class BeatsListener(Link):
    """Consumes the beats for one database; the relays of a database share one queue."""

    def __init__(self, config: BrokerConfig, identity: str) -> None:
        self._queue = beats_queue(identity)
        self._deliveries: deque[Delivery] = deque()
        self.unreadable = 0  # messages that were no beats
        self._cancelled = False
        super().__init__(replace(config, max_message_bytes=MOST_BYTES))  # larger: no body

    def _set_up(self, channel: Any) -> None:
        self._declare_queue(
            self._queue,
            {
                "x-max-length": MOST_BEATS,
                "x-message-ttl": BEAT_SECONDS * 1000,
                "x-expires": UNUSED_SECONDS * 1000,
            },
        )
        self._declare_exchange(EXCHANGE)
        channel.queue_bind(self._queue, EXCHANGE, EVENT)
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(self._queue, callback=self._on_beat, on_cancel=self._on_cancel)

    def _on_beat(self, message: Any) -> None:
        self._deliveries.append(delivery_of(message))

    def _on_cancel(self, tag: str) -> None:
        """Note that the queue was deleted; a new connection declares it again."""
        self._cancelled = True

    def check(self) -> None:
        """Raise ConnectionError if the queue was deleted."""
        if self._cancelled:
            raise ConnectionError("the queue of the beats was deleted")

    def take(self) -> list[Beat]:
        """Acknowledge the messages that have arrived, and return their beats."""
        taken, self._deliveries = self._deliveries, deque()
        if taken:
            self.allow()
            self._channel.basic_ack(taken[-1].tag, multiple=True)
        beats = [beat for beat in map(read_beat, taken) if beat is not None]
        self.unreadable += len(taken) - len(beats)
        return beats
