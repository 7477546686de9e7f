"""Evaluate an expression part by part, and charge for each part.

Python's own evaluation is never used: syntax that has no method below cannot be evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .budget import MOST_DEPTH, Budget, TooMuch
from .functions import Functions
from .modules import Function
from .operators import PLAIN, binary, compare
from .translate import _lt

Names = Mapping[str, Any]


class Evaluation:
    """One evaluation of one expression. Single-threaded."""

    def __init__(self, functions: tuple[str, ...], budget: Budget) -> None:
        self._budget = budget
        self._functions = Functions(self._budget)
        self._known = self._functions.by_name(functions)
        self._depth = 0

    def of(self, tree: ast.Expression, names: Names) -> Any:
        """Return the value of an expression.

        :raises TooMuch: it costs more than it may
        """
        value = self._value(tree.body, {**self._known, **names})
        return self._budget.spend_value(value)

    def _value(self, node: ast.AST, names: Names) -> Any:
        self._budget.spend(1)
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise TooMuch(_lt("it is nested too deeply"))
        try:
            return KINDS[type(node)](self, node, names)
        finally:
            self._depth -= 1

    # Values and names

    def _constant(self, node: ast.Constant, _names: Names) -> Any:
        return node.value

    def _name(self, node: ast.Name, names: Names) -> Any:
        if node.id not in names:
            raise NameError(f"the name “{node.id}” is unknown")
        return names[node.id]

    def _attribute(self, node: ast.Attribute, names: Names) -> Any:
        return self._functions.attribute(self._value(node.value, names), node.attr)

    def _item(self, node: ast.Subscript, names: Names) -> Any:
        values, key = self._value(node.value, names), self._value(node.slice, names)
        if isinstance(values, dict):
            self._budget.spend_lookup(values, key)
        return self._budget.spend_value(values[key])

    def _slice(self, node: ast.Slice, names: Names) -> slice:
        limits = (node.lower, node.upper, node.step)
        return slice(*(None if each is None else self._value(each, names) for each in limits))

    # Operators

    def _binary(self, node: ast.BinOp, names: Names) -> Any:
        left, right = self._value(node.left, names), self._value(node.right, names)
        return binary(self._budget, type(node.op), left, right)

    def _unary(self, node: ast.UnaryOp, names: Names) -> Any:
        return PLAIN[type(node.op)](self._value(node.operand, names))

    def _bool(self, node: ast.BoolOp, names: Names) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for each in node.values:
            value = self._value(each, names)
            if bool(value) is wanted:
                break
        return value

    def _compare(self, node: ast.Compare, names: Names) -> Any:
        left, result = self._value(node.left, names), True
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._value(comparator, names)
            result = compare(self._budget, type(op), left, right)
            if not result:
                break
            left = right
        return result

    def _conditional(self, node: ast.IfExp, names: Names) -> Any:
        return self._value(node.body if self._value(node.test, names) else node.orelse, names)

    # Lists and the like

    def _list(self, node: ast.List, names: Names) -> list[Any]:
        return list(self._budget.spend_value(self._several(node.elts, names)))

    def _tuple(self, node: ast.Tuple, names: Names) -> tuple[Any, ...]:
        return tuple(self._budget.spend_value(self._several(node.elts, names)))

    def _set(self, node: ast.Set, names: Names) -> set[Any]:
        return self._functions.do_set(self._several(node.elts, names))

    def _dict(self, node: ast.Dict, names: Names) -> dict[Any, Any]:
        pairs: list[tuple[Any, Any]] = []
        for key, value in zip(node.keys, node.values, strict=True):
            found = self._value(value, names)
            if key is None:
                pairs.extend(self._budget.items(found.items()))
            else:
                pairs.append((self._value(key, names), found))
        return self._functions.dictionary(pairs)

    def _several(self, nodes: list[ast.expr], names: Names) -> list[Any]:
        """Evaluate elements or arguments, including those with a star."""
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found.extend(self._budget.items(self._value(node.value, names)))
            else:
                found.append(self._value(node, names))
        return found

    def _comprehension(self, node: Any, names: Names) -> list[Any]:
        scopes = self._scopes(node.generators, dict(names))
        return list(self._budget.spend_value([self._value(node.elt, scope) for scope in scopes]))

    def _set_comprehension(self, node: ast.SetComp, names: Names) -> set[Any]:
        return self._functions.do_set(self._comprehension(node, names))

    def _dict_comprehension(self, node: ast.DictComp, names: Names) -> dict[Any, Any]:
        scopes = self._scopes(node.generators, dict(names))
        pairs = [(self._value(node.key, s), self._value(node.value, s)) for s in scopes]
        return self._functions.dictionary(pairs)

    def _scopes(self, loops: list[ast.comprehension], names: dict[str, Any]) -> Iterator[Names]:
        """Yield the names for each iteration of the loops."""
        if not loops:
            yield names
            return
        loop, *inner = loops
        for item in self._budget.items(self._value(loop.iter, names)):
            self._bind(loop.target, item, names)
            if all(self._value(condition, names) for condition in loop.ifs):
                yield from self._scopes(inner, names)

    def _bind(self, target: ast.expr, value: Any, names: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            values = self._budget.items(value)
            for each, part in zip(target.elts, values, strict=True):
                self._bind(each, part, names)
        else:
            raise TypeError(_lt("a loop assigns to names only"))

    # Functions

    def _call(self, node: ast.Call, names: Names) -> Any:
        function = self._value(node.func, names)
        args, kwargs = self._several(node.args, names), self._keywords(node.keywords, names)
        if not callable(function):
            raise TypeError(_lt("%s cannot be called", type(function).__name__))
        return self._budget.spend_value(function(*args, **kwargs))

    def _keywords(self, nodes: list[ast.keyword], names: Names) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for node in nodes:
            value = self._value(node.value, names)
            found.update({node.arg: value} if node.arg else dict(self._budget.items(value.items())))
        return found

    def _lambda(self, node: ast.Lambda, names: Names) -> Function:
        parameters = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        defaults = self._several(node.args.defaults, names)
        given = dict(zip(reversed(parameters), reversed(defaults), strict=False))

        def function(*args: Any, **kwargs: Any) -> Any:
            bound = {**given, **dict(zip(parameters, args, strict=False)), **kwargs}
            if len(args) > len(parameters) or set(bound) != set(parameters):
                raise TypeError(_lt("the lambda takes these parameters: %s", ", ".join(parameters)))
            return self._value(node.body, {**names, **bound})

        return function

    # Texts

    def _text(self, node: ast.JoinedStr, names: Names) -> str:
        parts = [str(self._value(each, names)) for each in node.values]
        self._budget.spend_text(sum(map(len, parts)))
        return "".join(parts)

    def _formatted(self, node: ast.FormattedValue, names: Names) -> str:
        value = self._value(node.value, names)
        pattern = self._value(node.format_spec, names) if node.format_spec else ""
        return self._functions.formatted(value, node.conversion, pattern)


KINDS: dict[type[ast.AST], Callable[[Evaluation, Any, Names], Any]] = {
    ast.Constant: Evaluation._constant,
    ast.Name: Evaluation._name,
    ast.Attribute: Evaluation._attribute,
    ast.Subscript: Evaluation._item,
    ast.Slice: Evaluation._slice,
    ast.BinOp: Evaluation._binary,
    ast.UnaryOp: Evaluation._unary,
    ast.BoolOp: Evaluation._bool,
    ast.Compare: Evaluation._compare,
    ast.IfExp: Evaluation._conditional,
    ast.List: Evaluation._list,
    ast.Tuple: Evaluation._tuple,
    ast.Set: Evaluation._set,
    ast.Dict: Evaluation._dict,
    ast.ListComp: Evaluation._comprehension,
    ast.GeneratorExp: Evaluation._comprehension,
    ast.SetComp: Evaluation._set_comprehension,
    ast.DictComp: Evaluation._dict_comprehension,
    ast.Call: Evaluation._call,
    ast.Lambda: Evaluation._lambda,
    ast.JoinedStr: Evaluation._text,
    ast.FormattedValue: Evaluation._formatted,
}
