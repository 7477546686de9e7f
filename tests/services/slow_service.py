"""A plain Nameko service; its method `work` returns when a file appears."""

import time
from pathlib import Path
from typing import Any

import eventlet
from nameko.events import EventDispatcher
from nameko.rpc import rpc


class SlowService:
    name = "slow"
    dispatch = EventDispatcher()

    @rpc
    def work(self, folder: Any, values: Any = None) -> Any:
        with (Path(folder) / "runs").open("a") as runs:
            runs.write(f"{time.time()}\n")
        while not (Path(folder) / "go").exists():
            eventlet.sleep(0.05)
        return "done"

    @rpc
    def repeat(self, text: Any, times: Any) -> Any:
        return text * times

    @rpc
    def tell(self, size: Any) -> Any:
        self.dispatch("told", "x" * size)
        return size
