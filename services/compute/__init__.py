"""Arithmetic on request: `nameko run services.compute` runs it."""

from services.compute.service import ComputeService

__all__ = ["ComputeService"]
