"""Describes the services of a process as plain data: their methods and parameters."""

import inspect
import json
from collections.abc import Iterable
from typing import Any

from nameko.containers import ServiceContainer
from nameko.extensions import ENTRYPOINT_EXTENSIONS_ATTR
from nameko.rpc import Rpc


def describe_services(containers: Iterable[ServiceContainer]) -> list[dict[str, Any]]:
    """Return {"name", "doc", "methods"} of each service, sorted by name."""
    services = [
        {
            "name": container.service_name,
            "doc": inspect.getdoc(container.service_cls) or "",
            "methods": describe_methods(container.service_cls),
        }
        for container in containers
    ]
    return sorted(services, key=lambda service: str(service["name"]))


def describe_methods(service_cls: type) -> list[dict[str, Any]]:
    """Return {"name", "doc", "parameters"} of each RPC method, sorted by name."""
    return [
        {
            "name": name,
            "doc": inspect.getdoc(method) or "",
            "parameters": describe_parameters(method),
        }
        for name, method in inspect.getmembers(service_cls, inspect.isfunction)
        if any(isinstance(e, Rpc) for e in getattr(method, ENTRYPOINT_EXTENSIONS_ATTR, ()))
    ]


def describe_parameters(method: Any) -> list[dict[str, Any]]:
    """Return {"name", "kind", "annotation", "default"} of each parameter but `self`, in order.

    The kind is the name of Python's, such as "POSITIONAL_OR_KEYWORD". A parameter without "default"
    is required. A default that JSON cannot express is returned as its `repr`.
    """
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [_describe_parameter(parameter) for parameter in parameters]


def _describe_parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name}
    if parameter.annotation is not parameter.empty:
        described["annotation"] = inspect.formatannotation(parameter.annotation)
    if parameter.default is not parameter.empty:
        described["default"] = _as_json(parameter.default)
    return described


def _as_json(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value
