"""A service that nobody here wrote: plain Nameko, nothing of this project in it."""

from nameko.rpc import rpc


class PlainService:
    name = "plain"

    @rpc
    def echo(self, value):
        return value

    @rpc
    def repeat(self, text, times):
        return text * times
