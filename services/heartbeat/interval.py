"""How often a process beats."""

from collections.abc import Mapping
from typing import Any

SECONDS = 30.0  # between two beats, where HEARTBEAT_INTERVAL says nothing else
MOST_SECONDS = 900.0  # Odoo takes an instance for gone that beats more seldom


def interval_of(config: Mapping[str, Any]) -> float:
    """Return the seconds between two beats."""
    return min(MOST_SECONDS, float(config.get("HEARTBEAT_INTERVAL") or SECONDS))
