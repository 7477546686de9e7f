"""Arguments and results of jobs as JSON texts, which Odoo keeps until they are needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kombu.utils.json import object_hook

from .encoding import MARKER, encode
from .request import Request


def encode_body(service: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The body of a request; raises NotSendable, which names the argument at fault."""
    return encode(Request(service, method, args, kwargs), None).body


def decode(text: str, plain: Any = None) -> Any:
    """The Python values that a result's JSON stands for; `plain` is its JSON already parsed."""
    if MARKER in text:
        return json.loads(text, object_hook=object_hook)
    return json.loads(text) if plain is None else plain


def with_results(body: str, results: Sequence[str], results_as: str) -> str:
    """Put the results of earlier jobs before the arguments: as one list, or one by one."""
    if results_as == "nothing":
        return body
    content = json.loads(body)
    values = [json.loads(result) for result in results]
    content["args"] = [*([values] if results_as == "list" else values), *content["args"]]
    return json.dumps(content)
