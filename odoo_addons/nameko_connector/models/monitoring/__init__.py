"""The screens about jobs: the overview, groups of failures, workflows, live views."""

from . import nameko_failure
from . import nameko_failure_grouping
from . import nameko_job_count
from . import nameko_job_minute
from . import nameko_overview
from . import nameko_workflow
from . import nameko_live
from . import nameko_live_viewer
from . import ir_http
from . import ir_websocket
