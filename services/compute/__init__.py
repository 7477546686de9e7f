"""Arithmetic on request: `nameko run services.compute` runs it, with its heartbeat."""

from services.compute.service import ComputeService
from services.heartbeat import HeartbeatService

__all__ = ["ComputeService", "HeartbeatService"]
