"""A service whose method checks whether its job was cancelled, and one with a timer."""

import itertools
import logging
from typing import Any

import eventlet
from nameko.timer import timer

from services.dependencies import Job
from services.entrypoints import rpc


class AskingService:
    name = "asking"
    job = Job()

    @rpc
    def work(self, seconds: Any) -> Any:
        for _ in range(int(seconds * 20)):
            if self.job.cancelled:
                return f"{self.job.id} stopped"
            eventlet.sleep(0.05)
        return f"{self.job.id} done"


class TickingService:
    name = "ticking"
    ticks = itertools.count()

    @timer(interval=0.2)
    def tick(self) -> None:
        logging.getLogger(__name__).info("tick %s", next(self.ticks))
