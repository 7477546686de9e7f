from . import calls
from . import jobs
from . import catalogue
from . import policies
from . import monitoring
from . import actions
from . import ir_config_parameter
from . import res_config_settings
