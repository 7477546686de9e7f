"""Encodes replies, so that anything that a method returns or raises can be sent."""

import logging
import os
import socket
import traceback
from collections.abc import Sequence
from typing import Any

import kombu.serialization
from nameko.constants import DEFAULT_SERIALIZER
from nameko.exceptions import UnserializableValueError

logger = logging.getLogger(__name__)

MAX_TEXT = 10_000  # characters of an error's text
MAX_ITEMS = 20  # of an exception's arguments, and of each collection in them
MAX_DEPTH = 5
MAX_ERROR = 100_000  # characters of a description of an error
MAX_FRAMES = 10  # of a traceback, the last
Encoded = tuple[str, str, bytes]  # content type, content encoding, body


def serializer_for(content_type: Any, accept: Sequence[str], default: str) -> str:
    """Return the serializer for a content type if it is accepted, else the default."""
    name: str = kombu.serialization.registry.type_to_name.get(content_type, default)
    return name if name in accept or content_type in accept else default


def encode_result(result: Any, serializer: str) -> Encoded:
    """Return the reply that holds `result`; raises UnserializableValueError."""
    try:
        return encode({"result": result, "error": None}, serializer)
    except Exception as error:
        raise UnserializableValueError(result) from error


def encode_error(error: BaseException, serializer: str, *, with_traceback: bool = False) -> Encoded:
    """Return the reply that describes `error`."""
    try:
        description = describe(error, with_traceback=with_traceback)
        return encode({"result": None, "error": description}, serializer)
    except Exception:
        logger.exception("an error cannot be described: %s", type(error).__name__)
        return encode({"result": None, "error": describe(Exception())}, DEFAULT_SERIALIZER)


def encode(payload: Any, serializer: str) -> Encoded:
    content_type, encoding, body = kombu.serialization.dumps(payload, serializer)
    return content_type, encoding, body.encode() if isinstance(body, str) else body


def describe(error: BaseException, *, with_traceback: bool = False) -> dict[str, Any]:
    """Return Nameko's description of an exception, as plain texts of limited size.

    It also has `instance`, the process as `host:pid`, and on request `traceback`.
    """
    kind = type(error)
    description = {
        "exc_type": plain_text(kind.__name__),
        "exc_path": plain_text(f"{kind.__module__}.{kind.__name__}"),
        "exc_args": [plain(value) for value in error.args[:MAX_ITEMS]],
        "value": plain_text(error),
        "instance": f"{socket.gethostname()}:{os.getpid()}",
    }
    if with_traceback and error.__traceback__:
        lines = traceback.format_exception(error, limit=-MAX_FRAMES)
        description["traceback"] = plain_text("".join(lines))
    if len(repr(description["exc_args"])) > MAX_ERROR:
        description["exc_args"] = [description["value"]]
    return description


def plain(value: Any, depth: int = 0) -> Any:
    """Return any value as a text, or as a list or dictionary of texts."""
    if depth < MAX_DEPTH:
        if isinstance(value, dict):
            items = list(value.items())[:MAX_ITEMS]
            return {plain_text(key): plain(each, depth + 1) for key, each in items}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(each, depth + 1) for each in list(value)[:MAX_ITEMS]]
    return plain_text(value)


def plain_text(value: Any) -> str:
    """Return `str(value)`, cut if it is very long, and without lone surrogates."""
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - what an exception's own __str__ raises
        return "[__unicode__ failed]"  # as Nameko has it
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}... ({len(text)} characters)"
    return text.encode("utf-8", "replace").decode()
