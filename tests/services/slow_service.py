"""A service that nobody here wrote: plain Nameko. Its method ends when a file appears."""

import time
from pathlib import Path

import eventlet
from nameko.rpc import rpc


class SlowService:
    name = "slow"

    @rpc
    def work(self, folder):
        with (Path(folder) / "runs").open("a") as runs:
            runs.write(f"{time.time()}\n")
        while not (Path(folder) / "go").exists():
            eventlet.sleep(0.05)
        return "done"
