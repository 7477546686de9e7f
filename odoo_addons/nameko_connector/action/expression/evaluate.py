"""Check and evaluate the Python expressions that managers write in server actions.

Neither Python's `eval` nor Odoo's safe_eval is safe enough: `record.sudo()` bypasses access rights,
and `9**9**9` blocks an Odoo process for ever. So expressions see records as views (record_view.py),
may contain only the syntax listed in PARTS, and are evaluated and charged part by part (value.py).
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
MOST_CACHED = 500  # characters: each takes about 350 bytes in the parsed tree
MOST_REASON = 300  # characters of Python's error message, which may quote a long value
MOST_BRACKETS = 50  # nested; Python's parser needs exponential time for some deep nesting


class InvalidExpression(Exception):
    """The expression cannot be evaluated; the message says why."""

    def reason(self, env: api.Environment) -> str:
        """Return the message in the user's language."""
        (text,) = self.args
        return env._(text) if isinstance(text, LazyGettext) else str(text)


@lru_cache(maxsize=4096)
def fault(expression: str) -> str | LazyGettext:
    """Return what is wrong with an expression, or "" if it is allowed."""
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

    :param context: the names that it may use; see `context_of`
    :param budget: shared with other expressions; by default, a new one
    :raises InvalidExpression: it has no value, or costs too much; the message says why
    :raises odoo.exceptions.UserError: raised by a field, such as AccessError when it is read
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
    """Return how deeply brackets are nested; brackets in texts count too."""
    depth = most = 0
    for character in expression:
        depth += (character in "([{") - (character in ")]}")
        most = max(most, depth)
    return most


def context_of(env: api.Environment, limit: Limit | None = None) -> dict[str, Any]:
    """Return the names that an expression may use, except `record`."""
    user = env["res.users"].browse(env.uid)
    return {
        "user": RecordView(user, limit),
        "company": RecordView(env.company, limit),
        "uid": env.uid,
        "context_today": lambda: fields.Date.context_today(user),
        **MODULES,
    }


def _forbidden(parts: list[ast.AST]) -> Iterator[LazyGettext]:
    """Yield a reason for each part of an expression that is not allowed."""
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
    """Yield the names that comprehensions and lambdas define."""
    for part in parts:
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg
