"""Starts the service `heartbeat` in each process, beside the services that it was started with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import eventlet

if TYPE_CHECKING:
    from services.container import Container

GOODBYE_SECONDS = 10.0
RETRY_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Companion:
    """Runs the service `heartbeat` from the start of the first service to the end of the last.

    It does nothing if the process was itself started with `heartbeat`, or if HEARTBEAT_INTERVAL
    is 0.
    """

    def __init__(self) -> None:
        self._named = False  # whether the process was started with the heartbeat
        self._container: Container | None = None
        self._others: set[Container] = set()  # the other services that run

    def expect(self, container: Container) -> None:
        """Note a service with which the process was started."""
        from services.heartbeat.service import HeartbeatService  # noqa: PLC0415 (imports Container)

        self._named |= container.service_cls is HeartbeatService

    def join(self, container: Container) -> None:
        """Note that a service has started; start the heartbeat with the first one."""
        if container is self._container:
            return
        self._others.add(container)
        wanted = container.config.get("HEARTBEAT_INTERVAL") != 0
        if wanted and not self._named and self._container is None:
            self._start(container)

    def _start(self, other: Container) -> None:
        """Start the heartbeat; if that fails, try again while the other services go on."""
        from services.heartbeat.service import HeartbeatService  # noqa: PLC0415

        if not self._others:
            return
        self._container = container = type(other)(HeartbeatService, other.config)
        try:
            container.start()
        except Exception as error:  # noqa: BLE001 - any of its extensions may fail
            logger.warning("the heartbeat is started again in %g s: %r", RETRY_SECONDS, error)
            container.discard()
            eventlet.spawn_after(RETRY_SECONDS, self._start, other)

    def leave(self, container: Container) -> None:
        """Note that a service has stopped; stop the heartbeat after the last one."""
        if container is self._container:
            return
        self._others.discard(container)
        if not self._others and self._container is not None:
            self._container.stop()

    def wait(self, container: Container) -> None:
        """Wait, at most GOODBYE_SECONDS, until the heartbeat has dispatched its last event."""
        if self._container not in (None, container):
            with eventlet.Timeout(GOODBYE_SECONDS, exception=False):
                self._container.wait()


companion = Companion()
