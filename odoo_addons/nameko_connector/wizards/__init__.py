from . import nameko_job_reschedule
from . import nameko_action_trial
