"""The catalogue of services: their instances, methods and queues."""

from . import nameko_service
from . import nameko_service_keep
from . import nameko_instance
from . import nameko_instance_beats
from . import nameko_instance_cron
from . import nameko_method
from . import nameko_method_choice
