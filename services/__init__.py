"""The Nameko services: `nameko run --config services/config.yaml services` runs them all."""

from services import quiet
from services.compute import ComputeService
from services.mail import MailDeliveryService, MailService
from services.notify import NotifyService

__all__ = [
    "ComputeService",
    "MailDeliveryService",
    "MailService",
    "NotifyService",
]
