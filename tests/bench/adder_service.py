"""The smallest Nameko service, so that the benchmarks measure the transport only."""

from typing import Any

from nameko.rpc import rpc


class AdderService:
    name = "bench_adder"

    @rpc
    def add(self, first: Any, second: Any) -> Any:
        return first + second
