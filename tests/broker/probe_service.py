"""A Nameko service for the tests of `broker/`: unmodified Nameko that does what a test asks."""

import os
from pathlib import Path

import eventlet
from nameko.extensions import DependencyProvider
from nameko.rpc import RpcProxy, rpc

recorded = []  # what `record` was called with in this process


class Context(DependencyProvider):
    def get_dependency(self, worker_ctx):
        return worker_ctx.context_data


class ProbeService:
    name = "probe"

    context = Context()
    probe = RpcProxy("probe")

    @rpc
    def echo(self, value, other=None):
        return value

    @rpc
    def fail(self, message):
        raise ValueError(message)

    @rpc
    def sleep(self, seconds, value=None):
        eventlet.sleep(seconds)
        return value

    @rpc
    def unanswerable(self):
        return {1, 2}

    @rpc
    def call_missing_method(self):
        return self.probe.missing()

    @rpc
    def worker_context(self):
        return self.context

    @rpc
    def record(self, value):
        recorded.append(value)
        return value

    @rpc
    def recorded(self):
        return recorded

    @rpc
    def log_and_echo(self, value):
        """Append the value to the file that the environment names, in one write, then answer."""
        with Path(os.environ["PROBE_LOG"]).open("a") as log:
            log.write(f"{value}\n")
        return value
