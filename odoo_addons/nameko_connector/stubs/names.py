"""Which names of the catalogue can be written in Python, and names of classes."""

from __future__ import annotations

from collections.abc import Collection
from keyword import iskeyword

from .annotation import BUILTINS

TAKEN = BUILTINS | {"annotations"}  # what the fixed part of the module uses


def is_name(name: object) -> bool:
    """Return whether this is a name in Python.

    Other letters than ASCII's are refused: some look like others, some cannot be seen, and Python
    replaces some by others.
    """
    return isinstance(name, str) and name.isascii() and name.isidentifier() and not iskeyword(name)


def is_method(name: object) -> bool:
    """Return whether a method of this name can be written; those with `_` are Python's own."""
    return is_name(name) and not str(name).startswith("_")


def is_service(name: object) -> bool:
    """Return whether a function of this name can be written."""
    return is_method(name) and name not in TAKEN


def class_names(services: Collection[str]) -> dict[str, str]:
    """Return the name of the class of each service; no two are the same, nor that of a service."""
    taken, names = {*services}, {}
    for service in sorted(services):
        name = "".join(part[:1].upper() + part[1:] for part in service.split("_"))
        while name in taken or iskeyword(name):
            name += "_"
        taken.add(name)
        names[service] = name
    return names
