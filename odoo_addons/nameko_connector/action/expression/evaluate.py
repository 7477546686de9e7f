"""Expressions of server actions: what managers may write in them, and their values.

Python's own `eval` would not do, Odoo's safe_eval neither: `record.sudo()` is a way to all rights,
and `9**9**9` stops an Odoo for good. So records come as views (record_view.py), an expression
is made of the parts below only, and value.py evaluates, and charges for, each of them.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import psycopg2

from odoo import api, fields
from odoo.exceptions import UserError
from odoo.tools.translate import LazyGettext

from .budget import Budget, TooMuch
from .modules import MODULES
from .record_view import Limit, RecordView
from .translate import _lt
from .value import Evaluation

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
MOST_CHARACTERS = 5_000
MOST_CACHED = 500  # characters: one has about 350 bytes when it is parsed
MOST_REASON = 300  # characters of what Python says, which may quote a long value
MOST_BRACKETS = 50  # Python's parser takes exponentially long for some deeply nested ones


class InvalidExpression(Exception):
    """It cannot be evaluated, or gave no value; the message says why."""

    def reason(self, env: api.Environment) -> str:
        """Return the message in the user's language."""
        (text,) = self.args
        return env._(text) if isinstance(text, LazyGettext) else str(text)


@lru_cache(maxsize=4096)
def fault(expression: str) -> str | LazyGettext:
    """Say what is wrong with an expression, "" if nothing is."""
    if len(expression) > MOST_CHARACTERS:
        return _lt("it has more than %s characters", MOST_CHARACTERS)
    if sum(map(expression.count, "([{")) > MOST_BRACKETS and _nesting(expression) > MOST_BRACKETS:
        return _lt("it is nested too deeply")
    try:
        tree = _parsed(expression)
        parts = list(ast.walk(tree))
    except SyntaxError as error:
        return error.msg
    except ValueError as error:
        return str(error)
    except (RecursionError, MemoryError):
        return _lt("it is nested too deeply")
    return next(_forbidden(parts), "")


def evaluate(expression: str, context: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """Return the value of an expression.

    :param context: what `context_of` gives
    :param budget: what this one may cost, together with others
    :raises InvalidExpression: saying why there is no value, as that it would cost too much
    :raises odoo.exceptions.UserError: what a field raised, as AccessError where it may not be read
    """
    if reason := fault(expression):
        raise InvalidExpression(reason)
    try:
        return Evaluation(FUNCTIONS, budget or Budget()).of(_parsed(expression), context)
    except (UserError, psycopg2.Error):
        raise
    except (TooMuch, ZeroDivisionError) as error:
        raise InvalidExpression(*error.args) from error
    except RecursionError as error:
        raise InvalidExpression(_lt("it is nested too deeply")) from error
    except Exception as error:  # whatever an operation or a computed field raises
        raise InvalidExpression(f"{type(error).__name__}: {error}"[:MOST_REASON]) from error


def _parsed(expression: str) -> ast.Expression:
    return _parsed_before(expression) if len(expression) <= MOST_CACHED else _parse(expression)


def _parse(expression: str) -> ast.Expression:
    return ast.parse(expression.strip(), mode="eval")


_parsed_before = lru_cache(maxsize=256)(_parse)


def _nesting(expression: str) -> int:
    """Return how deep brackets stand within brackets, those in texts counted, too."""
    depth = most = 0
    for character in expression:
        depth += (character in "([{") - (character in ")]}")
        most = max(most, depth)
    return most


def context_of(env: api.Environment, limit: Limit | None = None) -> dict[str, Any]:
    """Return the names that an expression may use, but for `record`."""
    user = env["res.users"].browse(env.uid)
    return {
        "user": RecordView(user, limit),
        "company": RecordView(env.company, limit),
        "uid": env.uid,
        "context_today": lambda: fields.Date.context_today(user),
        **MODULES,
    }


def _forbidden(parts: list[ast.AST]) -> Iterator[LazyGettext]:
    """Say of each part that may not be there why."""
    known = {*NAMES, *FUNCTIONS, *_bound(parts)}
    for part in parts:
        if not isinstance(part, PARTS):
            yield _lt("%s is not allowed", type(part).__name__)
        elif isinstance(part, ast.Attribute):
            if part.attr.startswith("_") or part.attr in FORBIDDEN_ATTRIBUTES:
                yield _lt("“.%s” is not allowed", part.attr)
        elif isinstance(part, ast.arguments) and (part.vararg or part.kwarg or part.kwonlyargs):
            yield _lt("a lambda takes plain parameters only")
        elif isinstance(part, ast.comprehension) and part.is_async:
            yield _lt("async is not allowed")
        elif isinstance(part, ast.Name) and part.id not in known:
            names = ", ".join(NAMES)
            if hasattr(builtins, part.id):
                yield _lt(
                    "the name “%(name)s” is not allowed; there are %(names)s",
                    name=part.id,
                    names=names,
                )
            else:
                yield _lt(
                    "the name “%(name)s” is unknown; there are %(names)s", name=part.id, names=names
                )


def _bound(parts: list[ast.AST]) -> Iterator[str]:
    """Return the names that comprehensions and lambdas make."""
    for part in parts:
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg
