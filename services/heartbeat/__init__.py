"""The sign of life of every service process."""

from services.heartbeat.service import HeartbeatService

__all__ = ["HeartbeatService"]
