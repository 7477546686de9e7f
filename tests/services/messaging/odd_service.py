"""A plain Nameko service whose methods raise and return values that are hard to send."""

import itertools
import os
import sys
from typing import Any

import eventlet
from kombu import Queue
from nameko.events import EventDispatcher, event_handler
from nameko.messaging import consume
from nameko.rpc import RpcProxy, rpc

TASKS = Queue("odd.tasks", durable=True)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def raised(name: Any) -> Any:
    """Return an exception that cannot be sent as it is."""
    circle: list[Any] = []
    circle.append(circle)
    nowhere = type("Nowhere", (Exception,), {"__module__": "no.such.module"})
    return {
        "set": ValueError({1, 2}),
        "tuple keys": ValueError({(1, 2): 3}),
        "list in tuple key": ValueError({(1, (2, 3)): {4}}),
        "endless": ValueError(itertools.count()),
        "circle": ValueError(circle),
        "surrogate": ValueError("\ud800"),
        "huge": ValueError("x" * 30_000_000),
        "bytes": ValueError(b"\xff" * 1000),
        "unprintable": Unprintable(),
        "nowhere": nowhere("x"),
        "exit": SystemExit(3),
        "timeout": eventlet.Timeout(),
        "cancelled": BaseException("base"),
        "memory": MemoryError(),
    }[name]


RETURNED = {
    "set": {1, 2},
    "generator": itertools.count(),
    "tuple keys": {(1, 2): 3},
    "object": object(),
    "module": sys,
    "surrogate": "\ud800",
}


class OddService:
    name = "odd"
    dispatch = EventDispatcher()
    garbler = RpcProxy("garbler")

    @rpc
    def echo(self, value: Any) -> Any:
        return value

    @rpc
    def fail(self, name: Any) -> None:
        raise raised(name)

    @rpc
    def give(self, name: Any) -> Any:
        return RETURNED[name]

    @rpc
    def repeat(self, text: Any, times: Any) -> Any:
        return text * times

    @rpc
    def tell(self, value: Any) -> Any:
        self.dispatch("told", value)
        return "told"

    @rpc
    def tell_much(self, size: Any) -> Any:
        self.dispatch("told", "x" * size)
        return "told"

    @rpc
    def ask_garbler(self) -> Any:
        return self.garbler.answer()

    @event_handler("odd", "told")
    def on_told(self, value: Any) -> None:
        handle(value)

    @consume(TASKS)
    def on_task(self, value: Any) -> None:
        handle(value)


def handle(value: Any) -> None:
    if value == "fail":
        raise raised("unprintable")
    if isinstance(value, dict) and "die" in value:
        os._exit(1)
    if isinstance(value, dict) and "file" in value:
        with open(value["file"], "a") as file:
            file.write("handled\n")
