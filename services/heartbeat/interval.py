"""The interval between two heartbeats of a process."""

from collections.abc import Mapping
from typing import Any

SECONDS = 30.0  # between two beats, unless HEARTBEAT_INTERVAL is set
MOST_SECONDS = 900.0  # if an instance beats less often, Odoo takes it for gone


def interval_of(config: Mapping[str, Any]) -> float:
    """Return the seconds between two beats."""
    return min(MOST_SECONDS, float(config.get("HEARTBEAT_INTERVAL") or SECONDS))
