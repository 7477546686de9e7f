"""The heartbeat of every service process: events, pings to a monitor, metrics."""

from services.heartbeat.service import HeartbeatService

__all__ = ["HeartbeatService"]
