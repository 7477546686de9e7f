"""A plain Nameko service; some of its messages end its process."""

import os
from pathlib import Path
from typing import Any

import eventlet
from kombu import Queue
from nameko.events import event_handler
from nameko.messaging import consume
from nameko.rpc import rpc

MENDED = "mended"  # if this file exists, deadly events and tasks no longer end the process


def note(folder: Any, name: Any) -> None:
    with (Path(folder) / name).open("a") as file:
        file.write(f"{os.getpid()}\n")


class PoisonService:
    name = "poison"

    @rpc
    def die(self, folder: Any) -> None:
        note(folder, "deaths")
        eventlet.sleep(0.1)  # while other requests run
        os._exit(1)

    @rpc
    def work(self, folder: Any, number: Any) -> Any:
        note(folder, f"run-{number}")
        eventlet.sleep(0.05)
        return number

    @event_handler("source", "happened")
    def on_event(self, event: Any) -> None:
        self._handle(event)

    @consume(Queue("poison.tasks", durable=True))
    def on_task(self, task: Any) -> None:
        self._handle(task)

    def _handle(self, event: Any) -> None:
        note(event["folder"], event["name"])
        if event["name"] == "deadly" and not (Path(event["folder"]) / MENDED).exists():
            os._exit(1)

    @consume(Queue("poison.again", durable=True), requeue_on_error=True)
    def fail(self, task: Any) -> None:
        note(task["folder"], task["name"])
        raise ValueError("always")
