"""Server actions and scheduled actions that call a service without code."""

from . import nameko_action_parameter
from . import ir_actions_server
from . import ir_actions_server_design
from . import ir_actions_server_run
from . import ir_actions_server_job
from . import ir_cron
