"""A service of the tests whose methods have their effect once: a line in a file."""

import os
from pathlib import Path

import eventlet
from nameko.rpc import rpc

from services.idempotency import Idempotent


class OnceService:
    """Each method adds a line for each request, however often that comes."""

    name = "once"
    once = Idempotent()

    @rpc
    def work(self, file, text, seconds=0):
        return self.once(self._add, file, text, seconds)

    @rpc
    def work_twice(self, file, text):
        return [self.once(self._add, file, text), self.once(self._add, file, text)]

    @rpc
    def work_and_die(self, file, text):
        """Die after the effect and before the reply, the first time."""
        before = lines(file)
        self.once(self._add, file, text)
        if lines(file) > before:
            os._exit(1)
        return text

    @rpc
    def return_no_json(self, file, text):
        return self.once(self._add_a_set, file, text)

    @rpc
    def fail_first(self, file, text):
        return self.once(self._fail_first, file, text)

    def _add(self, file, text, seconds=0):
        with Path(file).open("a") as output:
            output.write(f"{text}\n")
        result = {"text": text, "lines": lines(file)}
        eventlet.sleep(seconds)
        return result

    def _add_a_set(self, file, text):
        self._add(file, text)
        return object()

    def _fail_first(self, file, text):
        if self._add(file, text)["lines"] == 1:
            raise ValueError("the first time")
        return text


def lines(file):
    path = Path(file)
    return len(path.read_text().splitlines()) if path.exists() else 0
