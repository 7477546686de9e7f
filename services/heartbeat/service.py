"""The service `heartbeat`: each service process runs one, to show others that it is alive."""

import logging
import os
import socket
import time
import uuid
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import eventlet
from nameko.events import EventDispatcher
from nameko.extensions import DependencyProvider
from nameko.standalone.events import event_dispatcher

from services.container import hosted
from services.entrypoints import timer
from services.heartbeat.catalogue import describe_services
from services.heartbeat.interval import SECONDS, interval_of
from services.heartbeat.monitor import Monitor
from services.metrics import MetricsServer

VERSION = "1.0.0"
MOST_METHODS = 20  # whose running calls a beat counts, at most
GOODBYE_SECONDS = 3.0  # that the last beat may take
logger = logging.getLogger(__name__)


class Instance(DependencyProvider):
    """Provide `instance`: the identity of this process, and its last problem or None."""

    def setup(self) -> None:
        self.id = str(uuid.uuid4())
        self.started = datetime.now(timezone.utc)
        self.clock = time.monotonic()
        self.problem: str | None = None

    def get_dependency(self, worker_ctx: Any) -> "Instance":
        return self

    def describe(self) -> dict[str, Any]:
        """Return the process's id, start (ISO 8601, UTC), uptime (seconds), services and so on."""
        return {
            "id": self.id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": VERSION,
            "started": self.started.isoformat(timespec="seconds"),
            "uptime": round(time.monotonic() - self.clock, 3),
            "interval": interval_of(self.container.config),
            "services": describe_services(hosted),
            "running": running_methods(),
        }

    def stop(self) -> None:
        """Dispatch a last beat, so that an orderly stop is not taken for a crash."""
        dispatch = event_dispatcher(self.container.config, retry=False)
        try:
            with eventlet.Timeout(GOODBYE_SECONDS):
                dispatch(HeartbeatService.name, "beat", {**self.describe(), "stopping": True})
        except (Exception, eventlet.Timeout) as error:  # noqa: BLE001 - nobody waits for it
            logger.warning("the last beat was not dispatched: %s", type(error).__name__)


def running_methods() -> dict[str, int]:
    """Return how many calls of each method run in this process, without the heartbeat's."""
    work = (each.running for each in hosted if each.service_name != HeartbeatService.name)
    return dict(sum(work, Counter()).most_common(MOST_METHODS))


class HeartbeatService:
    """Says at a fixed interval that this process is alive: to Odoo, a monitor and Prometheus."""

    name = "heartbeat"
    dispatch = EventDispatcher(retry=False)
    instance = Instance()
    monitor = Monitor()
    metrics = MetricsServer()

    @timer(interval_key="HEARTBEAT_INTERVAL", default=SECONDS)
    def beat(self) -> None:
        """Dispatch the event `beat`, which describes this process: see `Instance.describe`."""
        try:
            self.dispatch("beat", self.instance.describe())
        except Exception as error:  # noqa: BLE001 - reported to the monitor; the next beat retries
            self.instance.problem = f"no beat: {type(error).__name__}: {error}"
            logger.warning("%s", self.instance.problem)
        else:
            self.instance.problem = None
            logger.info("alive")

    @timer(interval_key="HEARTBEAT_INTERVAL", default=SECONDS)
    def ping(self) -> None:
        """Tell the monitor that this process is well, or the error of its last beat."""
        self.monitor.ping(self.instance.problem)
