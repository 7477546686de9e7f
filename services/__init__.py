"""The Nameko services: `nameko run --config services/config.yaml services` runs them all.

Each service class is imported on its first use, so a process with one service does not load the
others. `nameko run` finds the classes with `dir()`.
"""

import warnings

from services.lazy import lazily

# Hide the deprecation warnings of Nameko and its libraries.
warnings.filterwarnings("ignore", r"pkg_resources is deprecated|\s*Eventlet is deprecated")

__getattr__, __dir__ = lazily(
    globals(),
    {
        "ComputeService": "services.compute.service",
        "MailDeliveryService": "services.mail.service",
        "MailService": "services.mail.service",
        "NotifyService": "services.notify",
    },
)
