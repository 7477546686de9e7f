"""Compute the arguments of a call from the expressions of a server action, for each record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from odoo import models
from odoo.exceptions import AccessError, UserError

from ..broker.amqp.request import Request
from ..exceptions import UnusableExpression
from .expression.budget import Budget
from .expression.evaluate import InvalidExpression, context_of, evaluate
from .expression.record_view import BeyondLimitError, RecordView
from .outcomes import Outcomes, named


@dataclass(frozen=True)
class Scope:
    """The context of expressions: a record, the names they may use, and their shared budget."""

    target: models.BaseModel
    names: Mapping[str, Any]
    budget: Budget = field(default_factory=Budget)


def scope_of(action: models.BaseModel, target: models.BaseModel) -> Scope:
    """Return the scope of an action's expressions for a record."""
    limit = action._nameko_limit
    return Scope(target, {**context_of(target.env, limit), "record": RecordView(target, limit)})


def requests(action: models.BaseModel, targets: list[models.BaseModel]) -> Outcomes:
    """Return for each target its request, or the error of the expression that failed."""
    return {target: _request_or_error(action, scope_of(action, target)) for target in targets}


def _request_or_error(action: models.BaseModel, scope: Scope) -> Request | UnusableExpression:
    try:
        return _request(action, scope)
    except UnusableExpression as error:
        return error


def _request(action: models.BaseModel, scope: Scope) -> Request:
    values = [
        (row.kind, row.name, _argument(row, scope))
        for row in action.nameko_parameter_ids.sorted()
        if row.value
    ]
    return Request(
        action.nameko_service,
        action.nameko_method,
        tuple(value for kind, _name, value in values if kind == "positional"),
        {name: value for kind, name, value in values if kind == "keyword"},
    )


def _argument(row: models.BaseModel, scope: Scope) -> Any:
    """Return the value of a parameter; raise UnusableExpression if it cannot be sent."""
    from ..broker.amqp.errors import NotSendable  # noqa: PLC0415  as the next
    from ..broker.jobs.body import encode_body  # noqa: PLC0415  loads kombu

    action = row.action_id
    value = evaluated(action, row.value, scope, row.name)
    try:
        encode_body(Request(action.nameko_service, action.nameko_method, (), {row.name: value}))
    except NotSendable as error:
        raise unusable(action, row.value, row.name, scope.target, str(error)) from error
    return value


def evaluated(action: models.BaseModel, expression: str, scope: Scope, name: str) -> Any:
    """Return the value of an action's expression.

    :param name: the name of the parameter or field, for error messages
    :raises UnusableExpression: the expression has no value
    :raises odoo.exceptions.AccessError: it reads what the user or the designer may not read
    """
    try:
        return evaluate(expression, scope.names, scope.budget)
    except InvalidExpression as error:
        reason = error.reason(action.env)
        raise unusable(action, expression, name, scope.target, reason) from error
    except BeyondLimitError as error:
        raise beyond(action, error) from error
    except AccessError:
        raise
    except UserError as error:  # raised by a computed field
        raise unusable(action, expression, name, scope.target, str(error)) from error


def unusable(
    action: models.BaseModel, expression: str, name: str, target: models.BaseModel, reason: str
) -> UnusableExpression:
    """Return the error for an expression without a value that can be sent."""
    return UnusableExpression(
        action.env._(
            "“%(action)s” sent nothing for %(record)s, because its expression for “%(name)s”, "
            "%(expression)s, gives no value that can be sent: %(reason)s",
            action=action.name,
            record=named(target),
            name=name,
            expression=expression,
            reason=reason,
        )
    )


def beyond(action: models.BaseModel, error: AccessError) -> AccessError:
    """Return the error for an action that would exceed the rights of its designer."""
    return AccessError(
        action.env._(
            "“%(action)s” may do no more than %(designer)s, who designed it. An administrator "
            "lifts this by changing one of its parameters. %(reason)s",
            action=action.name,
            designer=action.nameko_designer_id.name,
            reason=str(error),
        )
    )
