from . import nameko_action_trial
from . import nameko_dead_letter
from . import nameko_dead_letter_kept
from . import nameko_job_reschedule
from . import nameko_job_retry
from . import nameko_method_trial
from . import nameko_policy_pause
