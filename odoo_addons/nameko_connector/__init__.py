from . import models
from . import wizards
from .hooks import uninstall_hook
from .tools.job_request import Again
