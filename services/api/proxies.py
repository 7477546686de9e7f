"""A pool of started `ClusterRpcProxy`s for threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nameko.exceptions import BadRequest, RemoteError, UnknownService
from nameko.standalone.rpc import ClusterRpcProxy

from services.exceptions import ServiceError

ANSWERS = (RemoteError, ServiceError, UnknownService, BadRequest)  # the proxy is as good as before
MAX_USES = 200  # replies that nobody waits for stay with the proxy: it is renewed in time
MAX_IDLE_SECONDS = 60.0
POLL_SECONDS = 0.001
MOST_LATE = 10  # replies that nobody waits for, after which a proxy is thrown away


class PoolBusyError(Exception):
    """So many others wait for results that no proxy became free in time."""


class KeptProxy:
    """A started proxy with its age. One thread at a time may use it."""

    def __init__(self, config: dict[str, Any], timeout: float) -> None:
        self.cluster = ClusterRpcProxy(config, timeout=timeout)
        self.rpc = self.cluster.start()
        self.uses = 0
        self.used_at = time.monotonic()

    def is_good(self) -> bool:
        """Tell whether it is young enough and its connection still stands."""
        idle = time.monotonic() - self.used_at
        if self.uses >= MAX_USES or idle > MAX_IDLE_SECONDS:
            return False
        try:
            self._forget_late_replies()
        except Exception:  # noqa: BLE001 - somebody else's message in its queue, too
            return False
        return True

    def _forget_late_replies(self) -> None:
        """Drop what came too late; raise ValueError where that does not come to an end."""
        listener = self.cluster._reply_listener
        consumer = listener.queue_consumer
        with suppress(TimeoutError):
            for _ in range(MOST_LATE):
                consumer.connection.drain_events(timeout=POLL_SECONDS)
            raise ValueError("somebody floods the reply queue")
        consumer.replies.clear()
        listener._reply_events.clear()

    def stop(self) -> None:
        """Close it, and delete its reply queue, which would stay for five minutes."""
        with suppress(Exception):
            self.cluster._reply_listener.queue_consumer.queue.delete(nowait=True)
        with suppress(Exception):
            self.cluster.stop()


class ProxyPool:
    """Lends proxies, at most `size` at once, and keeps them between uses.

    A proxy is thrown away when its user raised anything but an error that a service answered:
    after a timeout a late answer could be taken for another call's.
    """

    def __init__(self, config: dict[str, Any], size: int, timeout: float, patience: float) -> None:
        """Make none yet. timeout: s for a reply; patience: s to wait for a proxy."""
        self.config, self.timeout, self.patience = config, timeout, patience
        self.slots = threading.BoundedSemaphore(size)
        self.idle: list[KeptProxy] = []
        self.made = 0

    @contextmanager
    def proxy(self) -> Iterator[Any]:
        """Lend a proxy for the block. Raises `PoolBusyError`, or what the broker says."""
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
        """Close what has been idle for long: its reply queue goes with it."""
        oldest = time.monotonic() - MAX_IDLE_SECONDS
        while self.idle and self.idle[0].used_at < oldest:
            with suppress(IndexError):  # another thread has taken it
                self.idle.pop(0).stop()

    def _give_back(self, kept: KeptProxy) -> None:
        kept.uses += 1
        kept.used_at = time.monotonic()
        self.idle.append(kept)
