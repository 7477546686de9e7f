"""A plain Nameko service for tests of `broker/`, whose methods do what a test needs."""

import os
from pathlib import Path
from typing import Any

import eventlet
from nameko.extensions import DependencyProvider
from nameko.rpc import RpcProxy, rpc

recorded: list[Any] = []  # what `record` was called with in this process


class Context(DependencyProvider):
    def get_dependency(self, worker_ctx: Any) -> Any:
        return worker_ctx.context_data


class ProbeService:
    name = "probe"

    context = Context()
    probe = RpcProxy("probe")

    @rpc
    def echo(self, value: Any, other: Any = None) -> Any:
        return value

    @rpc
    def fail(self, message: Any) -> None:
        raise ValueError(message)

    @rpc
    def sleep(self, seconds: Any, value: Any = None) -> Any:
        eventlet.sleep(seconds)
        return value

    @rpc
    def unanswerable(self) -> Any:
        return {1, 2}

    @rpc
    def call_missing_method(self) -> Any:
        return self.probe.missing()

    @rpc
    def worker_context(self) -> Any:
        return self.context

    @rpc
    def record(self, value: Any) -> Any:
        recorded.append(value)
        return value

    @rpc
    def recorded(self) -> Any:
        return recorded

    @rpc
    def log_and_echo(self, value: Any) -> Any:
        """Append the value to the file that PROBE_LOG names, in one write, and return it."""
        with Path(os.environ["PROBE_LOG"]).open("a") as log:
            log.write(f"{value}\n")
        return value
