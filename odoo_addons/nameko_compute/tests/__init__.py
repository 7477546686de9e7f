from . import test_access
from . import test_computation
from . import test_configuration
from . import test_recorded_calls
from . import test_rpc
from . import test_job_api
from . import test_server_action
