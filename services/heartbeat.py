"""The service `heartbeat`: every service process hosts one, so that others see it alive."""

import logging
import os
import socket

from services.entrypoints import timer

logger = logging.getLogger(__name__)


class HeartbeatService:
    """Says at a fixed interval that this process is alive."""

    name = "heartbeat"

    @timer(interval_key="HEARTBEAT_INTERVAL")
    def beat(self) -> None:
        """Log who is alive."""
        logger.info("alive", extra={"host": socket.gethostname(), "pid": os.getpid()})
