"""Lets work have its effect only once, however often its request is delivered."""

from services.idempotency.provider import Idempotent, Once
from services.idempotency.store import HeldError

__all__ = ["HeldError", "Idempotent", "Once"]
