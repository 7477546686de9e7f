"""The smallest Nameko service: what is measured is the way to it and back."""

from typing import Any

from nameko.rpc import rpc


class AdderService:
    name = "bench_adder"

    @rpc
    def add(self, first: Any, second: Any) -> Any:
        return first + second
