from . import test_access
from . import test_computation
from . import test_compute_later
from . import test_result_guard
