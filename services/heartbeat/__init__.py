"""The heartbeat of each service process: its events, its pings to a monitor, its metrics."""

from services.heartbeat.service import HeartbeatService

__all__ = ["HeartbeatService"]
