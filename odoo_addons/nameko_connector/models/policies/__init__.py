"""Policies: what managers set for a service or a method, and what follows from it."""

from . import nameko_policy
from . import nameko_policy_defaults
from . import nameko_policy_start
from . import nameko_policy_texts
from . import nameko_service_pause
