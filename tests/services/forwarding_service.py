"""A service that sends a request of a given size to another service, without waiting."""

from typing import Any

from services.dependencies import AsyncRpcProxy
from services.entrypoints import rpc


class ForwardingService:
    name = "forwarding"
    plain = AsyncRpcProxy("plain")

    @rpc
    def forward(self, size: Any) -> Any:
        self.plain.echo.call_async("x" * size)
        return size
