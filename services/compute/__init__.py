"""Arithmetic on request: `nameko run services.compute` runs it.

The service is imported when somebody asks for it: the pool's processes, which do the heavy
operations, need no Nameko.
"""

from services.lazy import lazily

__getattr__, __dir__ = lazily(globals(), {"ComputeService": "services.compute.service"})
