"""The service `notify`, which writes messages to the log."""

import logging

from services.entrypoints import rpc

logger = logging.getLogger(__name__)


class NotifyService:
    """Writes messages to the log, one line for each."""

    name = "notify"

    @rpc
    def send(self, message: str) -> None:
        """Log `message` at level info."""
        self.info(message)

    @rpc
    def info(self, message: str) -> None:
        """Log `message` at level info."""
        logger.info("%s", message)

    @rpc
    def error(self, message: str) -> None:
        """Log `message` at level error."""
        logger.error("%s", message)
