from . import nameko_compute
from . import nameko_compute_result
from . import nameko_compute_later
