"""Encode and decode the arguments and results of jobs as JSON texts, which Odoo stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kombu.utils.json import object_hook

from ..amqp.encoding import MARKER, encode
from ..amqp.request import Request

PREFIX, EMPTY = '{"args": [', "]"  # the beginning of a body; of one without arguments


def encode_body(request: Request, most_bytes: int | None = None) -> str:
    """Return the body of a request.

    Raise NotSendable, which names the argument at fault; MessageTooLarge above `most_bytes`.
    """
    return encode(request, None, most_bytes).body


def decode(text: str, plain: Any = None) -> Any:
    """Return the Python value of a result's JSON; `plain` is the parsed JSON, if known."""
    if MARKER in text:
        return json.loads(text, object_hook=object_hook)
    return json.loads(text) if plain is None else plain


def with_results(body: str, results: Sequence[str], results_as: str) -> str:
    """Return the body with the results of earlier jobs before its arguments.

    body: from `encode_body`; results: JSON texts; results_as: "list" inserts them as one list,
    "nothing" inserts none, anything else inserts them one by one. Raise ValueError for a body of
    another form.
    """
    if results_as == "nothing":
        return body
    if not body.startswith(PREFIX):
        raise ValueError(f"the arguments do not begin with {PREFIX}")
    values, rest = ", ".join(results), body[len(PREFIX) :]
    values = f"[{values}]" if results_as == "list" else values
    separator = ", " if values and not rest.startswith(EMPTY) else ""
    return f"{PREFIX}{values}{separator}{rest}"
