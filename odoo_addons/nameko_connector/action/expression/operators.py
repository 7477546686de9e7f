"""The operators of expressions, with their costs."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from .budget import TEXTS, Budget, TooMuch, check_bits, check_widths
from .translate import _lt

SEQUENCES = (*TEXTS, list, tuple)
PLAIN: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def binary(budget: Budget, kind: type[ast.AST], left: Any, right: Any) -> Any:
    """Apply an operator to two values; raise TooMuch if that costs too much."""
    if check := CHECKS.get(kind):
        check(budget, left, right)
    if isinstance(left, set | frozenset | dict) and isinstance(right, set | frozenset | dict):
        budget.spend_keys(len(left) + len(right))
    return budget.spend_value(PLAIN[kind](left, right))


def compare(budget: Budget, kind: type[ast.AST], left: Any, right: Any) -> Any:
    if kind in (ast.In, ast.NotIn):
        found = _is_in(budget, left, right)
        return found if kind is ast.In else not found
    if kind not in (ast.Is, ast.IsNot):
        budget.spend_value(left)
        budget.spend_value(right)
    return PLAIN[kind](left, right)


def _is_in(budget: Budget, item: Any, values: Any) -> bool:
    if isinstance(values, TEXTS) and isinstance(item, TEXTS):
        budget.spend_search(values, item)
    elif isinstance(values, dict | set | frozenset):
        budget.spend_lookup(values, item)
    else:
        budget.spend_value(item)
        budget.spend_value(values)
    return item in values


def _check_product(budget: Budget, left: Any, right: Any) -> None:
    for values, times in ((left, right), (right, left)):
        if isinstance(values, TEXTS) and isinstance(times, int):
            budget.spend_text(len(values) * max(times, 0))
        elif isinstance(values, SEQUENCES) and isinstance(times, int):
            budget.spend(len(values) * max(times, 0))
    if isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + right.bit_length())


def _check_sum(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, TEXTS) and isinstance(right, TEXTS):
        budget.spend_text(len(left) + len(right))
    elif isinstance(left, SEQUENCES) and isinstance(right, SEQUENCES):
        budget.spend(len(left) + len(right))


def _check_power(_budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() * max(right, 0))


def _check_shift(_budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() + max(right, 0))


def _check_remainder(budget: Budget, left: Any, right: Any) -> None:
    """Check and charge for `'…' % values`, which formats a text."""
    if isinstance(left, bytes):
        raise TypeError(_lt("bytes cannot be a format"))
    if isinstance(left, str):
        if "*" in left:
            raise TooMuch(_lt("a format takes no width from a value"))
        check_widths(left)
        budget.spend(len(left) // 10)
        size = len(left) + 1000 * left.count("%")  # for numbers and widths
        budget.spend_text(size + _shown_size(budget, right) * _uses(left, right))


def _shown_size(budget: Budget, value: Any) -> int:
    budget.spend_value(value)
    return len(str(value))


def _uses(pattern: str, values: Any) -> int:
    """Return how often the values may be printed: a dictionary's as often as they are named."""
    return max(1, pattern.count("%")) if isinstance(values, dict) else 1


CHECKS: dict[type[ast.AST], Callable[[Budget, Any, Any], None]] = {
    ast.Add: _check_sum,
    ast.Mult: _check_product,
    ast.Pow: _check_power,
    ast.LShift: _check_shift,
    ast.Mod: _check_remainder,
}
