"""Runs the heartbeat service in each process, without being asked to."""

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
    """Runs the service `heartbeat` from a process's first service on to its last.

    It does nothing where the process was started with that service, and where HEARTBEAT_INTERVAL
    is 0.
    """

    def __init__(self) -> None:
        self._named = False  # whether the process was started with the heartbeat
        self._container: Container | None = None
        self._others: set[Container] = set()  # that are not yet at their end

    def expect(self, container: Container) -> None:
        """Note a service that the process will run."""
        from services.heartbeat.service import HeartbeatService  # noqa: PLC0415 (imports Container)

        self._named |= container.service_cls is HeartbeatService

    def join(self, container: Container) -> None:
        """Start the heartbeat beside a service that has started."""
        if container is self._container:
            return
        self._others.add(container)
        wanted = container.config.get("HEARTBEAT_INTERVAL") != 0
        if wanted and not self._named and self._container is None:
            self._start(container)

    def _start(self, other: Container) -> None:
        """Start the heartbeat; without success, try again: the services work on meanwhile."""
        from services.heartbeat.service import HeartbeatService  # noqa: PLC0415

        if not self._others:
            return
        self._container = container = type(other)(HeartbeatService, other.config)
        try:
            container.start()
        except Exception as error:  # noqa: BLE001 - of any of its extensions
            logger.warning("the heartbeat is started again in %g s: %r", RETRY_SECONDS, error)
            container.discard()
            eventlet.spawn_after(RETRY_SECONDS, self._start, other)

    def leave(self, container: Container) -> None:
        """Stop the heartbeat behind the last service."""
        if container is self._container:
            return
        self._others.discard(container)
        if not self._others and self._container is not None:
            self._container.stop()

    def wait(self, container: Container) -> None:
        """Wait, not for long, until the heartbeat beside a service has said goodbye."""
        if self._container not in (None, container):
            with eventlet.Timeout(GOODBYE_SECONDS, exception=False):
                self._container.wait()


companion = Companion()
