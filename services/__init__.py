"""The Nameko services: `nameko run --config services/config.yaml services` runs them all.

Each is imported when somebody asks for it: a process of one of them does not load the others.
`nameko run` looks for them in what `dir` says.
"""

import warnings

from services.lazy import lazily

# Nameko's and its libraries' warnings that they grow old stay out of the log.
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
