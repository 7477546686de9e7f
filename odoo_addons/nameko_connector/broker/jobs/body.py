"""Arguments and results of jobs as JSON texts, which Odoo keeps until they are needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kombu.utils.json import object_hook

from ..amqp.encoding import MARKER, encode
from ..amqp.request import Request

PREFIX, EMPTY = '{"args": [', "]"  # how a body begins, and goes on where there are no arguments


def encode_body(request: Request, most_bytes: int | None = None) -> str:
    """Return the body of a request.

    Raises NotSendable, which names the argument at fault; MessageTooLarge where it has more bytes.
    """
    return encode(request, None, most_bytes).body


def decode(text: str, plain: Any = None) -> Any:
    """The Python values that a result's JSON stands for; `plain` is its JSON already parsed."""
    if MARKER in text:
        return json.loads(text, object_hook=object_hook)
    return json.loads(text) if plain is None else plain


def with_results(body: str, results: Sequence[str], results_as: str) -> str:
    """Put the results of earlier jobs before the arguments: as one list, or one by one.

    body: as `encode_body` makes it; results: JSON, put in as it is. Raises ValueError for a body
    of another form.
    """
    if results_as == "nothing":
        return body
    if not body.startswith(PREFIX):
        raise ValueError(f"the arguments do not begin with {PREFIX}")
    values, rest = ", ".join(results), body[len(PREFIX) :]
    values = f"[{values}]" if results_as == "list" else values
    separator = ", " if values and not rest.startswith(EMPTY) else ""
    return f"{PREFIX}{values}{separator}{rest}"
