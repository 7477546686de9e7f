from . import nameko_rpc
from . import nameko_compute
