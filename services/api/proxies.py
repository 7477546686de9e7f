"""A pool of started `ClusterRpcProxy`s, which the threads of the REST API share."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nameko.exceptions import BadRequest, RemoteError, UnknownService
from nameko.standalone.rpc import ClusterRpcProxy

from services.exceptions import ServiceError

ANSWERS = (RemoteError, ServiceError, UnknownService, BadRequest)  # the proxy stays usable
MAX_USES = 200  # of a proxy, which keeps the replies that nobody waits for
MAX_IDLE_SECONDS = 60.0
POLL_SECONDS = 0.001
MOST_LATE = 10  # replies that nobody waits for, after which a proxy is thrown away


class PoolBusyError(Exception):
    """No proxy became free in time: too many requests wait for results."""


class KeptProxy:
    """A started proxy with its age. One thread at a time may use it."""

    def __init__(self, config: dict[str, Any], timeout: float) -> None:
        self.cluster = ClusterRpcProxy(config, timeout=timeout)
        self.rpc = self.cluster.start()
        self.uses = 0
        self.used_at = time.monotonic()

    def is_good(self) -> bool:
        """Return whether it is new enough and its connection is still open."""
        idle = time.monotonic() - self.used_at
        if self.uses >= MAX_USES or idle > MAX_IDLE_SECONDS:
            return False
        try:
            self._forget_late_replies()
        except Exception:  # noqa: BLE001 - also for a foreign message in its queue
            return False
        return True

    def _forget_late_replies(self) -> None:
        """Drop the replies that came too late; raise ValueError if there are too many."""
        listener = self.cluster._reply_listener
        consumer = listener.queue_consumer
        with suppress(TimeoutError):
            for _ in range(MOST_LATE):
                consumer.connection.drain_events(timeout=POLL_SECONDS)
            raise ValueError("somebody floods the reply queue")
        consumer.replies.clear()
        listener._reply_events.clear()

    def stop(self) -> None:
        """Stop the proxy and delete its reply queue, which would expire after five minutes."""
        with suppress(Exception):
            self.cluster._reply_listener.queue_consumer.queue.delete(nowait=True)
        with suppress(Exception):
            self.cluster.stop()


class ProxyPool:
    """Lends proxies, at most `size` at once, and keeps them between uses.

    After an error that is not a service's reply, the proxy is stopped and not used again: after a
    timeout, for example, a late reply could be taken for the reply to another call.
    """

    def __init__(self, config: dict[str, Any], size: int, timeout: float, patience: float) -> None:
        """Start with no proxy. timeout: s to wait for a reply; patience: s to wait for a proxy."""
        self.config, self.timeout, self.patience = config, timeout, patience
        self.slots = threading.BoundedSemaphore(size)
        self.idle: list[KeptProxy] = []
        self.made = 0

    @contextmanager
    def proxy(self) -> Iterator[Any]:
        """Lend a proxy for the block. Raises `PoolBusyError`, or an error of the connection."""
        if not self.slots.acquire(timeout=self.patience):
            raise PoolBusyError
        try:
            kept = self._take()
            try:
                yield kept.rpc
            except ANSWERS:
                self._give_back(kept)
                raise
            except BaseException:
                kept.stop()
                raise
            self._give_back(kept)
        finally:
            self.slots.release()

    def _take(self) -> KeptProxy:
        self._stop_old()
        while True:
            try:
                kept = self.idle.pop()
            except IndexError:
                self.made += 1
                return KeptProxy(self.config, self.timeout)
            if kept.is_good():
                return kept
            kept.stop()

    def _stop_old(self) -> None:
        """Stop proxies that were idle for too long, and delete their reply queues."""
        oldest = time.monotonic() - MAX_IDLE_SECONDS
        while self.idle and self.idle[0].used_at < oldest:
            with suppress(IndexError):  # another thread has taken it
                self.idle.pop(0).stop()

    def _give_back(self, kept: KeptProxy) -> None:
        kept.uses += 1
        kept.used_at = time.monotonic()
        self.idle.append(kept)
