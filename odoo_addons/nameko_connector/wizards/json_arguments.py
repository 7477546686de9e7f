"""Parse the arguments of a call that a user types as JSON into a text field."""

import json
from typing import Any

from odoo import models
from odoo.exceptions import UserError

from ..broker.amqp.reading import UNREADABLE, is_deep

POSITIONAL_HELP = 'A list in JSON, such as [3, "EUR"].'
NAMED_HELP = 'Names and values in JSON, such as {"quantity": 3, "currency": "EUR"}.'


def parsed(record: models.BaseModel, name: str, kind: type) -> Any:
    """Return the value in the text field of this name.

    :param kind: list or dict
    :raises odoo.exceptions.UserError: it is not valid; the message says why
    """
    from ..broker.jobs.body import decode  # noqa: PLC0415  loads kombu

    label = record._fields[name]._description_string(record.env)
    try:
        value = decode(record[name] or "")
    except json.JSONDecodeError as error:
        text = record.env._(
            "“%(label)s” is not valid JSON: %(error)s. Check quotes, commas and brackets.",
            label=label,
            error=error,
        )
        raise UserError(text) from None
    except UNREADABLE:
        text = record.env._("“%s” holds a value that cannot be sent, or is nested too deep.", label)
        raise UserError(text) from None
    if not isinstance(value, kind) or is_deep(value):
        shape = record.env._("a list: [ … ]") if kind is list else record.env._("an object: { … }")
        raise UserError(record.env._("“%(label)s” must be %(shape)s", label=label, shape=shape))
    return value
