"""Requests and replies as Nameko sends them: JSON, the way kombu writes and reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kombu.utils.json import JSONEncoder, object_hook

from . import errors
from .request import Request

MAX_KEY = 255  # bytes of a routing key
MARKER = '"__type__"'
_encode = JSONEncoder().encode
_decode = json.JSONDecoder(object_hook=object_hook).decode
NAMEKO_ERRORS = {
    "nameko.exceptions.IncorrectSignature": errors.WrongArguments,
    "nameko.exceptions.MethodNotFound": errors.UnknownMethod,
}


class Encoded(NamedTuple):
    """A request ready to be sent."""

    routing_key: str
    body: str
    headers: dict[str, Any]


def encode(request: Request, context: Mapping[str, Any] | None) -> Encoded:
    """Raises NotSendable, which names the argument. `context` is Nameko's worker context."""
    return Encoded(_routing_key(request), _body(request), _headers(request, context or {}))


def _routing_key(request: Request) -> str:
    key = f"{request.service}.{request.method}"
    if not request.service or not request.method or "." in request.method:
        raise _not_sendable(request, "service and method need a name, a method's without dots")
    if len(key.encode(errors="replace")) > MAX_KEY:
        raise _not_sendable(request, "the names are too long")
    return key


def _body(request: Request) -> str:
    try:
        body = _encode({"args": list(request.args), "kwargs": dict(request.kwargs)})
        if MARKER in body:
            _refuse_markers(request)
    except (TypeError, ValueError, RecursionError):
        raise _not_sendable(request, _culprit(request)) from None
    return body


def _headers(request: Request, context: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without a value are left out, as Nameko leaves them out."""
    for key, value in context.items():
        if not isinstance(value, str | int | float | bool | None):
            raise _not_sendable(request, f"context value {key!r} is of type {_kind(value)}")
    return {f"nameko.{key}": value for key, value in context.items() if value is not None}


def decode(message: Any, request: Request) -> Any:
    """The result out of a reply, or raises what the service answered instead."""
    reply = _parse(message, request)
    if reply["error"] is not None:
        raise remote_error(reply["error"], request)
    return reply["result"]


def remote_error(error: Mapping[str, Any], request: Request) -> errors.RpcError:
    """The error that stands for a reply's `error`."""
    path, value = str(error.get("exc_path")), str(error.get("value"))
    kind = NAMEKO_ERRORS.get(path)
    arguments = tuple(error.get("exc_args") or ())
    if kind is errors.UnknownMethod and arguments == (request.method,):
        text = f"The service {request.service} has no method {request.method}."
        return kind(text, service=request.service, method=request.method)
    if kind is errors.WrongArguments:
        text = f"{request} does not take these arguments: {value}."
        return kind(text, service=request.service, method=request.method)
    return errors.RemoteError(
        f"{request} failed: {error.get('exc_type')}: {value}",
        service=request.service,
        method=request.method,
        error=error,
    )


def _parse(message: Any, request: Request) -> dict[str, Any]:
    try:
        body = message.body
        reply = _decode(body if isinstance(body, str) else body.decode())
        known = _is_reply(reply) and message.properties.get("content_type") == "application/json"
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        known = False
    if not known:
        text = f"{request} ran, but its answer is no reply of Nameko's in JSON."
        raise errors.BadReply(text, service=request.service, method=request.method)
    return reply


def _is_reply(reply: Any) -> bool:
    if not isinstance(reply, dict) or not reply.keys() >= {"result", "error"}:
        return False
    return reply["error"] is None or isinstance(reply["error"], dict)


def _not_sendable(request: Request, reason: str) -> errors.NotSendable:
    text = f"The call of {request} was not sent: {reason}."
    return errors.NotSendable(text, service=request.service, method=request.method)


def _named(request: Request) -> Iterator[tuple[str, Any]]:
    for number, value in enumerate(request.args, 1):
        yield f"argument {number}", value
    for name, value in request.kwargs.items():
        yield f"argument {name!r}", value


def _culprit(request: Request) -> str:
    """Which argument cannot be encoded, and of what type it or the part in it is."""
    for name, value in _named(request):
        try:
            _encode(value)
        except TypeError as error:
            return f"{name} cannot be put into JSON: {error}"
        except (ValueError, RecursionError):
            return f"{name} cannot be put into JSON: it contains itself, or is nested too deeply"
    return "its arguments cannot be put into JSON together"


def _refuse_markers(request: Request) -> None:
    """To kombu, a dict of these two keys is an encoded value: it fails to read any other."""
    for name, value in _named(request):
        if _has_marker(value):
            reason = f"{name} holds a dictionary with the keys __type__ and __value__ only"
            raise _not_sendable(request, reason)


def _has_marker(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.keys() == {"__type__", "__value__"} or any(map(_has_marker, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_marker, value))


def _kind(value: Any) -> str:
    return type(value).__name__
