"""A pool of started proxies: limited in number, used by one caller each, discarded if broken."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..amqp import errors
from ..amqp.config import BrokerConfig
from ..amqp.deadline import Deadline
from .breaker import Breaker
from .loading import load_nameko

if TYPE_CHECKING:
    from .proxy import LeanClusterRpcProxy

PROBE_AFTER = 1.0  # s idle, after which a connection is tested before it is used
PROBE_TIMEOUT = 1.0  # s


class Pool:
    """The proxies of one process."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config
        self._breaker = Breaker(config.connect_timeout)
        self._idle: list[LeanClusterRpcProxy] = []  # the most recently used one at the end
        self._all: set[LeanClusterRpcProxy] = set()
        self._lock = threading.Lock()
        self._places = threading.Semaphore(config.pool_size)
        self._closed = False

    @contextmanager
    def proxy(self, deadline: Deadline, *, fresh: bool = False) -> Iterator[LeanClusterRpcProxy]:
        """Yield a working proxy for the block; with `fresh`, over a new connection.

        Raise BrokerUnreachable or PoolExhausted. A proxy that still has an open request at the end
        of the block is closed, so that no other call receives a late reply.
        """
        self._wait_for_place(deadline)
        try:
            proxy = self._start(deadline) if fresh else self._reuse(deadline)
            try:
                yield proxy
            except BaseException as error:
                proxy.wire.spoiled |= not isinstance(error, errors.RpcError)
                raise
            finally:
                self._put_back(proxy)
        finally:
            self._places.release()

    def close(self) -> None:
        """Close the idle proxies now, and the others when they are released."""
        with self._lock:
            self._closed = True
        self._stop_all(self._take_idle())

    def abandon(self) -> None:
        """In a forked child, drop the parent's connections without closing them on the broker."""
        for proxy in self._all:
            proxy.wire.abandon()

    def _wait_for_place(self, deadline: Deadline) -> None:
        if not self._places.acquire(timeout=max(0.0, deadline.at - time.monotonic())):
            raise errors.PoolExhausted(
                f"All {self._config.pool_size} connections of this process to the broker "
                f"were in use for {deadline.seconds:g} s. Nothing was sent.",
                seconds=deadline.seconds,
                may_have_run=False,
            )

    def _reuse(self, deadline: Deadline) -> LeanClusterRpcProxy:
        """Return the most recently used proxy if it works, else a new one; close stale proxies."""
        self._stop_all(self._take_idle(unused_since=time.monotonic() - self._config.idle_seconds))
        kept = self._take_last()
        if kept is None:
            return self._start(deadline)
        works = False
        try:
            works = self._works(kept, deadline)
        finally:
            if not works:  # the other connections are probably broken too
                self._stop_all([kept, *self._take_idle()])
        return kept if works else self._start(deadline)

    def _take_last(self) -> LeanClusterRpcProxy | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _take_idle(self, unused_since: float = math.inf) -> list[LeanClusterRpcProxy]:
        with self._lock:
            taken = [proxy for proxy in self._idle if proxy.wire.used_at < unused_since]
            self._idle = [proxy for proxy in self._idle if proxy.wire.used_at >= unused_since]
        return taken

    def _works(self, proxy: LeanClusterRpcProxy, deadline: Deadline) -> bool:
        idle = time.monotonic() - proxy.wire.used_at
        patience = min(PROBE_TIMEOUT, (deadline.at - time.monotonic()) / 4)
        return proxy.wire.works(deadline.within(patience), ask_broker=idle > PROBE_AFTER)

    def _start(self, deadline: Deadline) -> LeanClusterRpcProxy:
        load_nameko()
        from .proxy import LeanClusterRpcProxy  # noqa: PLC0415 (needs Nameko)

        proxy = LeanClusterRpcProxy(self._config)
        try:
            proxy.start(deadline.within(self._breaker.budget()))
        except errors.BrokerUnreachable:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        with self._lock:
            self._all.add(proxy)
        return proxy

    def _put_back(self, proxy: LeanClusterRpcProxy) -> None:
        with self._lock:
            keep = proxy.wire.clean and not self._closed
            if keep:
                proxy.wire.used_at = time.monotonic()
                self._idle.append(proxy)
        if not keep:
            self._stop_all([proxy])

    def _stop_all(self, proxies: list[LeanClusterRpcProxy]) -> None:
        with self._lock:
            self._all.difference_update(proxies)
        for proxy in proxies:
            proxy.stop()
