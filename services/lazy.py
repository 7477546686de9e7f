"""Lets a package import the modules of its public names only when the names are used."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(
    package: Mapping[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    package: its `globals()`; modules: for each public name, the module that defines it
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    def names() -> list[str]:
        return [*package, *modules]

    return get, names
