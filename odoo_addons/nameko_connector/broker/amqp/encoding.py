"""Encode requests and decode replies as Nameko does: as kombu's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from kombu.utils.json import JSONEncoder, object_hook

from . import errors
from .names import MOST_KEY, MOST_SERVICE, are_names
from .reading import MOST_DEPTH, MOST_VALUES, UNREADABLE, has_many_values, is_deep
from .request import Request

MARKER = '"__type__"'
_encode = JSONEncoder(allow_nan=False).encode  # JSON has no NaN and no Infinity
_encode_plain = JSONEncoder(allow_nan=False, ensure_ascii=False).encode
SURROGATE = "\\ud"  # how the halves of surrogate pairs begin in JSON, alone or together
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

    def identified(self, idempotency_id: str | None) -> Encoded:
        """Return the request with this idempotency id; with None, unchanged."""
        if idempotency_id is None:
            return self
        return self._replace(headers={**self.headers, "nameko.idempotency_id": idempotency_id})


Identify = Callable[[Encoded], str]  # returns the idempotency id; called once per call


def encode(
    request: Request, context: Mapping[str, Any] | None, most_bytes: int | None = None
) -> Encoded:
    """Return the encoded message of a request.

    context: Nameko's worker context; most_bytes: the largest allowed body. Raise NotSendable, which
    names the argument at fault, or MessageTooLarge.
    """
    key, body = _routing_key(request), _body(request)
    if most_bytes is not None:
        size = len(body.encode())
        if size > most_bytes:
            raise too_large(request, size, most_bytes)
    return Encoded(key, body, _headers(request, context or {}))


def too_large(
    request: Request, size: int, most: int, *, by_broker: bool = False
) -> errors.MessageTooLarge:
    """Return the error for a body of `size` bytes when at most `most` are allowed."""
    text = (
        f"The call of {request} was not sent: its message has {size:,} bytes, and {most:,} are "
        "allowed. Send less at once, or a reference to what the service fetches."
    )
    names = {"service": request.service, "method": request.method}
    return errors.MessageTooLarge(text, size=size, most=most, by_broker=by_broker, **names)


def _routing_key(request: Request) -> str:
    if not request.service or not request.method or "." in request.method:
        raise _not_sendable(request, "service and method need a name, a method's without dots")
    if not are_names(request.service, request.method):
        raise _not_sendable(
            request,
            "the names of service and method must be printable, without * and #, and not too "
            f"long: a service's may have {MOST_SERVICE} bytes, both together {MOST_KEY - 1}",
        )
    return f"{request.service}.{request.method}"


def _body(request: Request) -> str:
    try:
        arguments = {"args": list(request.args), "kwargs": dict(request.kwargs)}
        body = _encode(arguments)
        if SURROGATE in body:
            _encode_plain(arguments).encode()  # raises for half a surrogate pair
        if MARKER in body:
            _refuse_markers(request)
    except (TypeError, ValueError, RecursionError):
        raise _not_sendable(request, _culprit(request)) from None
    return body


def _headers(request: Request, context: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in context.items():
        if not isinstance(value, str | int | float | bool | None):
            raise _not_sendable(request, f"context value {key!r} is of type {_kind(value)}")
    return context_headers(context)


def context_headers(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers for a worker context; like Nameko, leave out values that are None."""
    return {f"nameko.{key}": value for key, value in context.items() if value is not None}


def decode(message: Any, request: Request) -> Any:
    """Return the result in a reply; raise the service's error, or BadReply if it is invalid."""
    reply = _parse(message, request)
    if reply["error"] is not None:
        raise remote_error(reply["error"], request)
    return reply["result"]


def remote_error(error: Mapping[str, Any], request: Request) -> errors.RpcError:
    """Return the exception for the `error` in a reply."""
    path, value = str(error.get("exc_path")), str(error.get("value"))
    kind = NAMEKO_ERRORS.get(path)
    if kind is errors.UnknownMethod and errors.arguments_of(error) == (request.method,):
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
    if message.body is None:
        raise _bad_reply(request, f"has {message.body_size:,} bytes, more than may be read")
    try:
        text = message.body.decode()
        if has_many_values(text):
            raise _bad_reply(request, f"has more than {MOST_VALUES:,} values")
        reply = _decode(text)
        known = _is_reply(reply) and message.properties.get("content_type") == "application/json"
    except UNREADABLE:
        known = False
    if not known:
        raise _bad_reply(request, "is no reply of Nameko's in JSON")
    if is_deep(reply):
        raise _bad_reply(request, f"is nested more than {MOST_DEPTH} deep")
    return dict(reply)


def _bad_reply(request: Request, what: str) -> errors.BadReply:
    text = f"{request} ran, but its answer {what}."
    return errors.BadReply(text, service=request.service, method=request.method)


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
    """Return which argument cannot be encoded, and why."""
    for name, value in _named(request):
        try:
            _encode(value)
            _encode_plain(value).encode()
        except TypeError as error:
            return f"{name} cannot be put into JSON: {error}"
        except UnicodeEncodeError:
            return f"{name} cannot be put into JSON: a text in it has no form in UTF-8"
        except ValueError as error:
            if "JSON compliant" in str(error):
                return f"{name} cannot be put into JSON, which has no NaN and no Infinity"
            return f"{name} cannot be put into JSON: it contains itself, or is nested too deeply"
        except RecursionError:
            return f"{name} cannot be put into JSON: it contains itself, or is nested too deeply"
    return "its arguments cannot be put into JSON together"


def _refuse_markers(request: Request) -> None:
    """Raise NotSendable for a dict with just these two keys: kombu would decode it as a value."""
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
