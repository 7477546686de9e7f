from . import models
from . import wizards
from .broker.amqp.request import Request
from .hooks import uninstall_hook
from .tools.job_request import Again
