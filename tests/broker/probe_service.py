"""A Nameko service for the tests of `broker/`: unmodified Nameko, that does what a test asks of it."""

import eventlet
from nameko.rpc import rpc

done: list[object] = []  # what `record` was called with in this process


class ProbeService:
    name = "probe"

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
    def record(self, value):
        done.append(value)
        return value

    @rpc
    def recorded(self):
        return done
