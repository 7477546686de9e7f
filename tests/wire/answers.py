"""Counts the replies to the requests that the trial sends."""

import contextlib
import threading
import uuid
from collections import Counter
from typing import Any

import kombu


class Answers:
    """The replies to the trial's own requests, counted by correlation id."""

    def __init__(self, uri: str) -> None:
        self.key = f"answers-{uuid.uuid4().hex[:8]}"
        self.by_id: Counter[str] = Counter()
        self._connection = kombu.Connection(uri)
        exchange = kombu.Exchange("nameko-rpc", "topic", durable=True)
        self._queue = kombu.Queue(
            self.key, exchange, self.key, exclusive=True, channel=self._connection
        )
        self._queue.declare()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._stopping = False
        self._thread.start()

    def _listen(self) -> None:
        channel: Any = self._connection.default_channel
        channel.basic_consume(self.key, no_ack=True, callback=self._on_message)
        while not self._stopping:
            # A reply with a property that is not UTF-8 raises an error after it was read.
            with contextlib.suppress(TimeoutError, ValueError):
                self._connection.drain_events(timeout=0.5)

    def _on_message(self, message: kombu.Message) -> None:
        # In some replies the correlation id is not a text.
        self.by_id[str(message.properties.get("correlation_id"))] += 1

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
        self._connection.release()
