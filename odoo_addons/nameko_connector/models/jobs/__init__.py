"""Durable jobs: create them, store them, let users act on them, and write their answers."""

from . import nameko_job
from . import nameko_job_actions
from . import nameko_job_answers
from . import nameko_job_attempt
from . import nameko_job_callbacks
from . import nameko_database
from . import nameko_route
from . import nameko_rpc_delay
from . import nameko_batch
from . import nameko_job_mixin
from . import nameko_job_texts
