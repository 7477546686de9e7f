"""A plain Nameko service, which uses nothing of this project."""

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
