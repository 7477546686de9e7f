"""A service for tests of `Idempotent`: its methods add a line to a file, once per request."""

import os
from pathlib import Path
from typing import Any

import eventlet
from nameko.rpc import rpc

from services.idempotency import Idempotent


class OnceService:
    """Each method adds one line for each request, however often the request is delivered."""

    name = "once"
    once = Idempotent()

    @rpc
    def work(self, file: Any, text: Any, seconds: Any = 0) -> Any:
        return self.once(self._add, file, text, seconds)

    @rpc
    def work_twice(self, file: Any, text: Any) -> Any:
        return [self.once(self._add, file, text), self.once(self._add, file, text)]

    @rpc
    def work_and_die(self, file: Any, text: Any) -> Any:
        """The first time, exit after the line was added and before the reply."""
        before = lines(file)
        self.once(self._add, file, text)
        if lines(file) > before:
            os._exit(1)
        return text

    @rpc
    def return_no_json(self, file: Any, text: Any) -> Any:
        return self.once(self._add_a_set, file, text)

    @rpc
    def fail_first(self, file: Any, text: Any) -> Any:
        return self.once(self._fail_first, file, text)

    def _add(self, file: Any, text: Any, seconds: Any = 0) -> Any:
        with Path(file).open("a") as output:
            output.write(f"{text}\n")
        result = {"text": text, "lines": lines(file)}
        eventlet.sleep(seconds)
        return result

    def _add_a_set(self, file: Any, text: Any) -> Any:
        self._add(file, text)
        return object()

    def _fail_first(self, file: Any, text: Any) -> Any:
        if self._add(file, text)["lines"] == 1:
            raise ValueError("the first time")
        return text


def lines(file: Any) -> Any:
    path = Path(file)
    return len(path.read_text().splitlines()) if path.exists() else 0
