"""Arithmetic on request: `nameko run services.compute` runs it.

The service is imported when somebody asks for it: the pool's processes, which do the heavy
operations, need no Nameko.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "ComputeService":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from services.compute.service import ComputeService  # noqa: PLC0415

    return ComputeService


def __dir__() -> list[str]:
    """Name the service, which is where `nameko run services.compute` looks for it."""
    return [*globals(), "ComputeService"]
