"""Write the methods of a service."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from .annotation import ANY, Types, joined
from .docstring import docstring
from .names import is_name

INDENT = " " * 8
LONGEST_LINE = 100
LONGEST_DEFAULT = 60  # characters
MOST_NUMBER = 10**15  # of a default
ANYTHING = f"self, /, *args: {ANY}, **kwargs: {ANY}"
KINDS = {kind.name: kind for kind in (
    Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD,
)}  # fmt: skip


class _Code(str):
    """A text that is code: `inspect` writes it as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def method_text(method: Mapping[str, Any], types: Types) -> str:
    """Return the definition of a method; it takes anything if its parameters cannot be written."""
    doc = docstring(method.get("doc"), f"{INDENT}    ")
    try:
        text = _definition(method["name"], _listed(method["parameters"], types), doc)
        compile(text.lstrip(), "<method>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, TypeError, LookupError, AttributeError):
        return _definition(method["name"], [ANYTHING], doc)
    return text


def _definition(name: str, parameters: Sequence[str], doc: str) -> str:
    body = f"\n{doc}" if doc else " ...\n"
    line = f"{INDENT}def {name}({', '.join(parameters)}) -> _Returned:"
    if len(line) <= LONGEST_LINE:
        return f"{line}{body}"
    each = "".join(f"{INDENT}    {parameter},\n" for parameter in parameters)
    return f"{INDENT}def {name}(\n{each}{INDENT}) -> _Returned:{body}"


def _listed(described: Sequence[Mapping[str, Any]], types: Types) -> list[str]:
    """Return what stands between the brackets, or raise ValueError: Python does not allow it."""
    parameters = [_parameter(each, types) for each in described]
    only = Parameter.POSITIONAL_ONLY
    is_first = any(each.kind is only for each in parameters)
    own = Parameter("self", only if is_first else Parameter.POSITIONAL_OR_KEYWORD)
    return _marked(Signature([own, *parameters]).parameters.values())


def _marked(parameters: Collection[Parameter]) -> list[str]:
    """Return the parameters as code, with the marks `/` and `*`."""
    ahead, usual, others, named, others_named = (
        [str(each) for each in parameters if each.kind is kind] for kind in KINDS.values()
    )
    slash = ["/"] if ahead else []
    star = ["*"] if named and not others else []
    return [*ahead, *slash, *usual, *others, *star, *named, *others_named]


def _parameter(described: Mapping[str, Any], types: Types) -> Parameter:
    name, allowed = described["name"], types.allowed(described.get("annotation"))
    if not is_name(name) or name.startswith("__"):  # Python replaces those in classes
        raise ValueError("no name of a parameter")
    default = _default(described["default"], allowed) if "default" in described else Parameter.empty
    return Parameter(
        name, KINDS[described["kind"]], default=default, annotation=_Code(joined(allowed))
    )


def _default(value: Any, allowed: Sequence[str]) -> _Code:
    """Return a default as code: dots if it is long, or not of a plain type that is allowed."""
    is_number = type(value) in (int, float) and abs(value) < MOST_NUMBER
    is_plain = is_number or value is None or type(value) in (bool, str)
    if is_plain and len(repr(value)) <= LONGEST_DEFAULT and {ANY, *_types_of(value)} & {*allowed}:
        return _Code(repr(value))
    return _Code("...")


def _types_of(value: Any) -> set[str]:
    """Return the types to which a plain value can be assigned."""
    if value is None:
        return {"None"}
    names = {each.__name__ for each in type(value).__mro__}
    return names | {"float"} if "int" in names else names
