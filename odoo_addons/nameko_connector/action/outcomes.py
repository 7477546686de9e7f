"""The result or error of a server action for each record, and how it is shown to the user."""

import json
import logging
from collections.abc import Iterable
from typing import Any

from odoo import models

from ..exceptions import NamekoError
from ..tools.client_actions import notification

_logger = logging.getLogger(__name__)
ERRORS_SHOWN = 3

# By target: a value or an error. A target is a record, or the empty recordset for a call without a
# record.
Outcomes = dict[models.BaseModel, Any]


def result_for_user(action: models.BaseModel, outcomes: Outcomes) -> dict[str, Any] | bool:
    """Handle the errors as the action is configured, and return what the user sees.

    :return: a notification, or False if the record itself shows what happened
    :raises exceptions.NamekoError: all targets failed, and the action is configured to raise
    """
    errors = {t: each for t, each in outcomes.items() if isinstance(each, Exception)}
    for target, error in errors.items():
        _logger.warning("Server action “%s” on %s: %s", action.name, target, error)
    if action.nameko_on_error == "chatter":
        for target, error in errors.items():
            post(target, str(error))
    if action.nameko_on_error == "raise" and errors and len(errors) == len(outcomes):
        raise _of_all(list(errors.values()))
    if len(outcomes) == 1 and action.nameko_when == "now":
        return False
    return _notification(action, outcomes, errors)


def _of_all(errors: list[Exception]) -> Exception:
    return errors[0] if len(errors) == 1 else NamekoError(_first_lines(map(str, errors)))


def _notification(action: models.BaseModel, outcomes: Outcomes, errors: Outcomes) -> dict[str, Any]:
    done = len(outcomes) - len(errors)
    message = (
        action.env._("%(done)s queued, %(failed)s failed", done=done, failed=len(errors))
        if action.nameko_when == "later"
        else action.env._("%(done)s done, %(failed)s failed", done=done, failed=len(errors))
    )
    reasons = map(str, errors.values()) if action.nameko_on_error == "raise" else ()
    return notification(
        _first_lines([f"{message}.", *reasons]),
        "warning" if errors else "success",
        title=action.name,
        sticky=bool(errors),
        reload=True,
    )


def _first_lines(texts: Iterable[str]) -> str:
    """Return the first few different texts, one per line."""
    return "\n".join(list(dict.fromkeys(texts))[: 1 + ERRORS_SHOWN])


def post(target: models.BaseModel, text: str) -> None:
    """Post an internal note as the current user, if there is a record."""
    if target:
        target.message_post(body=_storable(text), subtype_xmlid="mail.mt_note")


def _storable(text: str) -> str:
    """Remove characters that PostgreSQL cannot store."""
    return text.replace("\0", "").encode(errors="replace").decode()


def shown(value: Any) -> str:
    """Return arguments or an answer as indented JSON; values that JSON cannot hold, as texts."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, TypeError):  # an integer of thousands of digits
        return type(value).__name__


def named(target: models.BaseModel) -> str:
    """Return the display name of a record or, if it has none, the name of its model."""
    return (target.display_name if target else "") or str(target._description)
