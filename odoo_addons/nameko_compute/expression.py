"""Expressions of server actions: what managers may write in them, and their values.

Odoo's safe_eval runs them. That alone would not do: with a real record in it, `record.sudo()` is a
way to all rights, and administrators alone may write such code. So records come as views (see
record_view.py), and an expression is made of the parts below only.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import psycopg2

from odoo import api, fields
from odoo.tools import safe_eval

from .record_view import RecordView

NAMES = (
    "record", "user", "company", "uid", "context_today", "datetime", "dateutil", "time",
)  # fmt: skip
FUNCTIONS = (
    "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "int", "len",
    "list", "map", "max", "min", "range", "round", "set", "sorted", "str", "sum", "tuple", "zip",
)  # fmt: skip
PARTS = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript,
    ast.Slice, ast.Call, ast.keyword, ast.Starred, ast.BoolOp, ast.boolop, ast.BinOp, ast.operator,
    ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop, ast.IfExp, ast.List, ast.Tuple, ast.Set,
    ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension,
    ast.Lambda, ast.arguments, ast.arg, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip
# A format string reaches any attribute by its name: "{0.__class__}".format(...). f"" does not.
FORBIDDEN_ATTRIBUTES = frozenset(("format", "format_map", "sleep"))


class InvalidExpression(Exception):
    """It cannot be evaluated, or gave no value; the message says why."""


@lru_cache(maxsize=4096)
def fault(expression: str) -> str:
    """Say what is wrong with an expression, "" if nothing is."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        parts = list(ast.walk(tree))
    except (SyntaxError, ValueError) as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "nested too deeply"
    return next(_forbidden(parts), "") or _refused_by_odoo(expression)


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Give the value of an expression.

    :param context: what `context_of` gives
    :raises InvalidExpression: saying why there is no value
    :raises odoo.exceptions.AccessError: the user may not read what it reads
    """
    if reason := fault(expression):
        raise InvalidExpression(reason)
    try:
        return safe_eval.safe_eval(expression.strip(), dict(context))
    except ZeroDivisionError as error:
        raise InvalidExpression(str(error)) from error
    except ValueError as error:
        cause = error.__context__ or error
        if isinstance(cause, psycopg2.Error):
            raise cause from None
        raise InvalidExpression(f"{type(cause).__name__}: {cause}") from error


def context_of(env: api.Environment) -> dict[str, Any]:
    """Give the names that an expression may use, but for `record`."""
    user = env["res.users"].browse(env.uid)
    return {
        "user": RecordView(user),
        "company": RecordView(env.company),
        "uid": env.uid,
        "context_today": lambda: fields.Date.context_today(user),
        "datetime": safe_eval.datetime,
        "dateutil": safe_eval.dateutil,
        "time": safe_eval.time,
    }


def _refused_by_odoo(expression: str) -> str:
    try:
        return str(safe_eval.test_python_expr(expression.strip(), mode="eval") or "")
    except NameError as error:
        return str(error)


def _forbidden(parts: list[ast.AST]) -> Iterator[str]:
    """Say of each part that may not be there why."""
    known = {*NAMES, *FUNCTIONS, *_bound(parts)}
    for part in parts:
        if not isinstance(part, PARTS):
            yield f"{type(part).__name__} is not allowed"
        elif isinstance(part, ast.Attribute):
            if part.attr.startswith("_") or part.attr in FORBIDDEN_ATTRIBUTES:
                yield f"“.{part.attr}” is not allowed"
        elif isinstance(part, ast.Name) and part.id not in known:
            reason = "not allowed" if hasattr(builtins, part.id) else "unknown"
            yield f"the name “{part.id}” is {reason}; there are {', '.join(NAMES)}"


def _bound(parts: list[ast.AST]) -> Iterator[str]:
    """Give the names that comprehensions and lambdas make."""
    for part in parts:
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg
