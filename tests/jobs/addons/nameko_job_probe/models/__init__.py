from . import nameko_job_probe
