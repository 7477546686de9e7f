"""Write the module: a class and a function for each service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .annotation import BUILTINS, Types
from .docstring import docstring
from .head import head
from .method import INDENT, method_text
from .names import class_names, is_method, is_service

if TYPE_CHECKING:
    from ..broker.beats.beat import Service

CLASS = """

class {name}(_t.Protocol):
    class _Methods(_t.Protocol[_Returned]):
{methods}
    call: _Methods[_t.Any]
    delay: _Methods[_models.BaseModel]
    request: _Methods[_JobRequest]

    def with_options(self, **options: _Unpack[_Options]) -> {name}: ...


def {service}(env: _Environment, **options: _Unpack[_Options]) -> {name}:
{doc}    return env["nameko.rpc"].service("{service}", **options)
"""


def module_text(services: Iterable[Service]) -> str:
    """Return the text of a module for these services, always the same for the same services.

    Services without methods are left out, and so are services and methods whose names Python does
    not allow, or that could be mistaken for others; comments count these.
    """
    services = [*services]
    written = {each.name: each for each in services if is_service(each.name) and _methods(each)}
    names = class_names(written)
    classes = [_class(written[name], names[name]) for name in sorted(written)]
    others = sum(bool(each.methods) for each in services) - len(written)
    text = "".join([head(), *classes, *_left_out("service", others, "\n\n")])
    compile(text, "<services>", "exec", dont_inherit=True)  # raises what must not happen
    return text


def _methods(service: Service) -> dict[str, Mapping[str, Any]]:
    return {each["name"]: each for each in service.methods if is_method(each.get("name"))}


def _class(service: Service, name: str) -> str:
    methods = _methods(service)
    types = Types(BUILTINS & methods.keys())
    texts = [method_text(methods[each], types) for each in sorted(methods)]
    texts += _left_out("method", len(service.methods) - len(methods), INDENT)
    doc = docstring(service.doc, "    ")
    return CLASS.format(name=name, service=service.name, doc=doc, methods="\n".join(texts))


def _left_out(what: str, count: int, before: str) -> Iterator[str]:
    """Yield a comment that says how many were left out, if any were."""
    if count:
        plural = "s" if count > 1 else ""
        yield f"{before}# Left out, because of their names: {count} {what}{plural}.\n"
