"""Nameko's `ClusterRpcProxy` with hard deadlines, requests that expire, and no leaks.

It replaces Nameko's own proxy, but raises the errors of this package:

    with LeanClusterRpcProxy(BrokerConfig(uri), timeout=5) as rpc:
        rpc.compute.method(99999, 99999)
        reply = rpc.compute.method.call_async(1, 2)
        reply.result()

Like Nameko's, it is for one process and one thread at a time; `client.py` uses a pool of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nameko.standalone.rpc import ClusterProxy, ClusterRpcProxy

from ..amqp import encoding, errors
from ..amqp.config import BrokerConfig
from ..amqp.deadline import Deadline
from ..amqp.request import Request
from .call import Call, NotSent
from .wire import connect


class LeanClusterRpcProxy(ClusterRpcProxy):
    """A proxy that uses one `Wire` instead of two kombu connections.

    context_data: Nameko's worker context. timeout: seconds for each call, from sending to result.
    """

    def __init__(
        self,
        config: BrokerConfig,
        context_data: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__({"AMQP_URI": config.uri}, dict(context_data or {}), timeout)
        self.config = config
        self.context = dict(context_data or {})
        self.timeout = timeout or config.timeout
        self._proxy = _Cluster(self)

    def start(self, deadline: Deadline | None = None) -> Any:
        """Connect; raise BrokerUnreachable."""
        self.wire = connect(self.config, deadline or Deadline(self.config.connect_timeout))
        return self._proxy

    def stop(self) -> None:
        """Close the connection; the broker deletes the reply queue."""
        self.wire.close()

    def begin(self, request: Request, message: encoding.Encoded, deadline: Deadline) -> Call:
        """Send a request; raise NotSent if it can be sent again over another connection."""
        call = Call(self.wire, request)
        call.send(message, deadline)
        return call


class _Cluster(ClusterProxy):
    def __init__(self, owner: LeanClusterRpcProxy) -> None:
        self._owner = owner

    def __getattr__(self, service: str) -> _Service:
        return _Service(self._owner, service)


class _Service:
    def __init__(self, owner: LeanClusterRpcProxy, service: str) -> None:
        self._owner = owner
        self._service = service

    def __getattr__(self, method: str) -> _Method:
        return _Method(self._owner, self._service, method)


class _Method:
    def __init__(self, owner: LeanClusterRpcProxy, service: str, method: str) -> None:
        self._owner = owner
        self._names = (service, method)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call_async(*args, **kwargs).result()

    def call_async(self, *args: Any, **kwargs: Any) -> _Reply:
        request = Request(*self._names, args, kwargs)
        most_bytes = self._owner.config.max_message_bytes
        message = encoding.encode(request, self._owner.context, most_bytes)
        deadline = Deadline(self._owner.timeout)
        try:
            return _Reply(self._owner.begin(request, message, deadline))
        except NotSent:
            text = f"The connection to the broker was lost before {request} was sent."
            raise errors.BrokerUnreachable(
                text, service=request.service, method=request.method
            ) from None


class _Reply:
    def __init__(self, call: Call) -> None:
        self._call = call

    def result(self) -> Any:
        """Wait for the result; the timeout counts from when the request was sent."""
        return self._call.result()
