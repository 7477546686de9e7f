"""Translate the annotations of the catalogue into types, through a list of known ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

ANY = "_t.Any"
BUILTINS = frozenset({"int", "float", "str", "bool", "bytes", "list", "dict", "tuple"})
# As `inspect.formatannotation` writes them; only those whose values can be sent to a service.
QUALIFIED = {
    "typing.Any": ANY,
    "typing.List": "list",
    "typing.Dict": "dict",
    "typing.Tuple": "tuple",
    "typing.Sequence": "_t.Sequence",
    "typing.Mapping": "_t.Mapping",
    "collections.abc.Sequence": "_t.Sequence",
    "collections.abc.Mapping": "_t.Mapping",
    "decimal.Decimal": "_decimal.Decimal",
    "datetime.date": "_datetime.date",
    "datetime.datetime": "_datetime.datetime",
    "datetime.time": "_datetime.time",
    "uuid.UUID": "_uuid.UUID",
}
SHORT = {name.rpartition(".")[2]: code for name, code in QUALIFIED.items()}
TYPES = {**{name: name for name in BUILTINS}, **QUALIFIED, **SHORT}
ARGUMENTS = {  # of a generic type without any
    "list": (ANY,),
    "dict": (ANY, ANY),
    "tuple": (ANY, "..."),
    "_t.Sequence": (ANY,),
    "_t.Mapping": (ANY, ANY),
}
# Nothing else is parsed: without digits and quotes, parsing gives no warnings.
READABLE = re.compile(r"[A-Za-z_., |\[\]]{1,200}")


@dataclass(frozen=True)
class Types:
    """The types that annotations may name in a class.

    shadowed: the names that the class defines: a method `list` hides the type `list`
    """

    shadowed: Collection[str] = ()

    def allowed(self, annotation: Any) -> list[str]:
        """Return the types that an annotation allows; only `ANY` if one of them is unknown."""
        text = annotation.strip("'\" ") if isinstance(annotation, str) else ""
        if not READABLE.fullmatch(text):
            return [ANY]
        try:
            members = self._members(ast.parse(text, mode="eval").body)
        except (SyntaxError, RecursionError, MemoryError):
            return [ANY]
        return [ANY] if ANY in members else members

    def _members(self, node: ast.expr) -> list[str]:
        match node:
            case ast.BinOp(left, ast.BitOr(), right):
                return [*self._members(left), *self._members(right)]
            case ast.Constant(None):
                return ["None"]
            case ast.Name() | ast.Attribute():
                return [self._type(ast.unparse(node))]
            case ast.Subscript(base, ast.Tuple(arguments)):
                return self._subscripted(ast.unparse(base), arguments)
            case ast.Subscript(base, argument):
                return self._subscripted(ast.unparse(base), [argument])
        return [ANY]

    def _type(self, name: str) -> str:
        code = TYPES.get(name, ANY)
        return self._with_arguments(code, ARGUMENTS[code]) if code in ARGUMENTS else self._own(code)

    def _subscripted(self, name: str, arguments: list[ast.expr]) -> list[str]:
        match name.removeprefix("typing."):
            case "Union":
                return [each for argument in arguments for each in self._members(argument)]
            case "Optional" if len(arguments) == 1:
                return [*self._members(arguments[0]), "None"]
        code = TYPES.get(name, ANY)
        if code not in ARGUMENTS or (code != "tuple" and len(arguments) != len(ARGUMENTS[code])):
            return [ANY]
        return [self._with_arguments(code, self._arguments(code, arguments))]

    def _arguments(self, code: str, arguments: list[ast.expr]) -> list[str]:
        """Return each argument of a generic type as code; `tuple[X, ...]` has dots."""
        codes = [joined(self._members(argument)) for argument in arguments]
        match arguments:
            case [_, ast.Constant(value)] if code == "tuple" and value is ...:
                codes[1] = "..."
        return codes

    def _with_arguments(self, code: str, arguments: Collection[str]) -> str:
        return f"{self._own(code)}[{', '.join(arguments)}]"

    def _own(self, code: str) -> str:
        return f"_builtins.{code}" if code in self.shadowed else code


def joined(members: list[str]) -> str:
    """Return the union of some types as code."""
    return ANY if ANY in members else " | ".join(dict.fromkeys(members))
