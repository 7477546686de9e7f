"""The Nameko services: `nameko run --config services/config.yaml services` runs them all."""

from services import quiet
from services.compute import ComputeService
from services.heartbeat import HeartbeatService
from services.mail import MailDeliveryService, MailService
from services.notify import NotifyService

__all__ = [
    "ComputeService",
    "HeartbeatService",
    "MailDeliveryService",
    "MailService",
    "NotifyService",
]
