"""Call services from any thread of any process, over a pool of `ClusterRpcProxy`s."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..amqp.config import BrokerConfig
from ..amqp.deadline import Deadline
from ..amqp.errors import BrokerUnreachable, RpcError
from ..amqp.request import Outcome, Request
from .pool import Pool

if TYPE_CHECKING:
    from ..amqp.encoding import Encoded, Identify

Context = Mapping[str, Any]


class Client:
    """Calls the services of one broker. Thread-safe; after a fork the child opens its own
    connections. Nothing is loaded or connected before the first call.
    """

    def __init__(self, config: BrokerConfig) -> None:
        self.config = config
        self._pool = Pool(config)
        _clients.add(self)

    def call(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        context: Context | None = None,
        identify: Identify | None = None,
    ) -> Any:
        """Return the result of `request` within `timeout` seconds (by default, as configured).

        context: Nameko's worker context, such as {"user_id": 2, "language": "es_ES"}.
        identify: returns the idempotency id of the request; called once.
        Raise RpcError; if `error.may_have_run` is False, it is safe to call again.
        """
        from ..amqp.encoding import encode  # noqa: PLC0415 (loads kombu)

        deadline = self._deadline(timeout)
        message = encode(request, context, self.config.max_message_bytes)
        if identify is not None:
            message = message.identified(identify(message))
        try:
            return self._call(request, message, deadline)
        except RpcError as error:
            error.service, error.method = request.service, request.method
            raise

    def call_many(
        self,
        requests: Sequence[Request],
        *,
        timeout: float | None = None,
        context: Context | None = None,
        identify: Identify | None = None,
    ) -> list[Outcome]:
        """Return the outcome of each request, in order; at most `config.window` wait at a time.

        timeout: seconds from sending a request to its reply. If a service answers nothing for so
        long, its other requests are not sent and get a CallTimeout that says so.
        RpcErrors are not raised: each outcome holds its own.
        """
        from .batch import Batch  # noqa: PLC0415

        seconds, most_bytes = self._deadline(timeout).seconds, self.config.max_message_bytes
        batch = Batch(requests, context, seconds, most_bytes, identify)
        return batch.run(self._pool, self.config.window)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        pool, self._pool = self._pool, Pool(self.config)
        pool.close()

    def _call(self, request: Request, message: Encoded, deadline: Deadline) -> Any:
        """Call over a pooled connection; if the request could not be sent, over a new one."""
        from .call import NotSent  # noqa: PLC0415 (loads amqp)

        try:
            return self._attempt(request, message, deadline)
        except NotSent:
            try:
                return self._attempt(request, message, deadline, fresh=True)
            except NotSent:
                raise BrokerUnreachable(
                    f"The connection broke before {request} was sent."
                ) from None

    def _attempt(
        self, request: Request, message: Encoded, deadline: Deadline, *, fresh: bool = False
    ) -> Any:
        with self._pool.proxy(deadline, fresh=fresh) as proxy:
            return proxy.begin(request, message, deadline).result()

    def _deadline(self, timeout: float | None) -> Deadline:
        seconds = self.config.timeout if timeout is None else timeout
        if not (seconds > 0 and math.isfinite(seconds)):
            raise ValueError(f"timeout is {seconds!r}; it must be a number of seconds above 0")
        return Deadline(seconds)

    def _after_fork(self) -> None:
        self._pool.abandon()
        self._pool = Pool(self.config)


_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_by_config: dict[BrokerConfig, Client] = {}
_lock = threading.Lock()


def client_for(config: BrokerConfig) -> Client:
    """Return this process's client for `config`; create it at the first call."""
    with _lock:
        if config not in _by_config:
            _by_config[config] = Client(config)
        return _by_config[config]


def _after_fork_in_child() -> None:
    """Replace locks, which may be held, and connections, which the parent still uses."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    for client in list(_clients):
        client._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
