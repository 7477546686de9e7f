from . import nameko_job_reschedule
