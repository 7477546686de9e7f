"""The service `compute`."""

from typing import Any

from nameko.rpc import rpc

from services.dependencies import AsyncRpcProxy


class ComputeService:
    """Does the sums that nobody should wait for inside Odoo."""

    name = "compute"
    notify = AsyncRpcProxy("notify")

    @rpc
    def method(self, value1: Any, value2: Any) -> Any:
        """Return `value1 + value2`, and tell `notify` about it without waiting."""
        result = value1 + value2
        self.notify.send.call_async(f"Operation completed {result}")
        return result
