"""The Nameko services: `nameko run --config services/config.yaml services` runs them all.

Each is imported when somebody asks for it: a process of one of them does not load the others.
"""

from importlib import import_module
from typing import Any

from services import quiet

SERVICES = {
    "ComputeService": "services.compute.service",
    "MailDeliveryService": "services.mail.service",
    "MailService": "services.mail.service",
    "NotifyService": "services.notify",
}


def __getattr__(name: str) -> Any:
    if name not in SERVICES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(SERVICES[name]), name)


def __dir__() -> list[str]:
    """Name the services, which is where `nameko run services` looks for them."""
    return [*globals(), *SERVICES]
