"""The service `compute`, which does arithmetic: `nameko run services.compute` runs it.

The service class is imported only when it is used, so that the worker processes of the pool, which
import this package, too, do not load Nameko.
"""

from services.lazy import lazily

__getattr__, __dir__ = lazily(globals(), {"ComputeService": "services.compute.service"})
