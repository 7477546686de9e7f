"""The Nameko services: `nameko run --config services/config.yaml services` runs them all."""

from services.compute import ComputeService
from services.heartbeat import HeartbeatService
from services.notify import NotifyService

__all__ = ["ComputeService", "HeartbeatService", "NotifyService"]
