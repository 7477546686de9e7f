"""What a child of the service runs: the relay of one database."""

from __future__ import annotations

import logging
from contextlib import suppress

from ..database import DATABASE_LOST
from ..relay import Connected, Relay

_logger = logging.getLogger(__name__)
REFUSED = 75  # the exit code if nothing may leave the database


class ChildRelay(Relay):
    """A relay that ends, instead of waiting, if the database may not send anything."""

    def _wait_for_somebody(self, refusal: str) -> None:
        _logger.warning("The relay waits: %s", refusal)
        raise SystemExit(REFUSED)

    def _finish(self, connected: Connected) -> None:
        """Release jobs and update what screens show, as the next relay may start much later."""
        with suppress(*DATABASE_LOST):
            connected.clock.waiting.hear(connected.listener.heard())
            connected.clock.waiting.turn()
            connected.clock.statistics.finish()
            connected.clock.live.finish()
