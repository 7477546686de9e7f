from . import nameko_compute
