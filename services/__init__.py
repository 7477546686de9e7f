"""The Nameko services: `nameko run --config services/config.yaml services` runs them all.

Each is imported when somebody asks for it: a process of one of them does not load the others.
`nameko run` looks for them in what `dir` says.
"""

from services import quiet
from services.lazy import lazily

__getattr__, __dir__ = lazily(
    globals(),
    {
        "ComputeService": "services.compute.service",
        "MailDeliveryService": "services.mail.service",
        "MailService": "services.mail.service",
        "NotifyService": "services.notify",
    },
)
