"""Dispatches progress events in the background, so that the work does not wait for them."""

import logging
from collections.abc import Callable
from typing import Any

import eventlet
from nameko.events import EventDispatcher

logger = logging.getLogger(__name__)


class ProgressReport:
    """Dispatches events `progress` {"job": ..., "progress": 0 to 1} in the background.

    While an event is still being sent, for example because the broker is down, further events are
    dropped.
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
        except Exception as error:  # noqa: BLE001 - the operation must not fail for it
            logger.warning("progress of job %s not sent: %s", event["job"], type(error).__name__)
        finally:
            self.on_its_way = False


class ProgressDispatcher(EventDispatcher):
    """Provide `report_progress(job, share)`."""

    def get_dependency(self, worker_ctx: Any) -> ProgressReport:
        return ProgressReport(super().get_dependency(worker_ctx))
