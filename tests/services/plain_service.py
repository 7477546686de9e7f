"""A service that nobody here wrote: plain Nameko, nothing of this project in it."""

from typing import Any

from nameko.rpc import rpc


class PlainService:
    name = "plain"

    @rpc
    def echo(self, value: Any) -> Any:
        return value

    @rpc
    def repeat(self, text: Any, times: Any) -> Any:
        return text * times
