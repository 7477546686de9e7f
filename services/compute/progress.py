"""Progress events that are never in the way of the work that they tell about."""

import logging
from collections.abc import Callable
from typing import Any

import eventlet
from nameko.events import EventDispatcher

logger = logging.getLogger(__name__)


class ProgressReport:
    """Dispatches events `progress` {"job": ..., "progress": 0 to 1} in the background.

    What comes while the last event is still on its way, for example to a broker that is away, is
    left out.
    """

    def __init__(self, dispatch: Callable[[str, dict[str, Any]], None]) -> None:
        self.dispatch = dispatch
        self.on_its_way = False

    def __call__(self, job: str, share: float) -> None:
        if not self.on_its_way:
            self.on_its_way = True
            eventlet.spawn_n(self._send, {"job": job, "progress": share})

    def _send(self, event: dict[str, Any]) -> None:
        try:
            self.dispatch("progress", event)
        except Exception as error:  # noqa: BLE001 - no operation fails for its progress report
            logger.warning("progress of job %s not told: %s", event["job"], type(error).__name__)
        finally:
            self.on_its_way = False


class ProgressDispatcher(EventDispatcher):
    """Provide `report_progress(job, share)`."""

    def get_dependency(self, worker_ctx: Any) -> ProgressReport:
        return ProgressReport(super().get_dependency(worker_ctx))
