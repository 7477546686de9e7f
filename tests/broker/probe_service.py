"""Nameko services for the tests of `broker/`. `probe` does what a test asks of it."""

import os
import time

from nameko.rpc import rpc


class ProbeService:
    name = "probe"

    @rpc
    def echo(self, value, other=None):
        return value

    @rpc
    def add(self, a, b):
        return a + b

    @rpc
    def fail(self, message):
        raise ValueError(message)
