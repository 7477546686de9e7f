"""What a service answers in a test.

An answer is one of these:

- a value: the result;
- an exception: the service raises it; an error of `broker.amqp.errors`, such as `CallTimeout`,
  happens instead of an answer, and an error of `exceptions.py` stands for the one of that name;
- a function: called with the arguments of the request, it returns a value or an exception, or
  raises one. `Mock(side_effect=[ValueError("busy"), 42])` gives one answer after the other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..broker.amqp import errors
from ..broker.amqp.encoding import NAMEKO_ERRORS, remote_error
from ..broker.amqp.request import Outcome, Request
from ..exceptions import NamekoError

PATHS = {kind: path for path, kind in NAMEKO_ERRORS.items()}


def outcome_of(answer: Any, request: Request) -> Outcome:
    """Return the outcome of a request that has this answer."""
    if callable(answer):
        answer = _answer_of(answer, request)
    if isinstance(answer, Exception):
        return Outcome(error=_rpc_error(answer, request))
    return Outcome(answer)


def _answer_of(function: Callable[..., Any], request: Request) -> Any:
    """Return what the function answers; `WrongArguments` if it does not take the arguments."""
    try:
        inspect.signature(function).bind(*request.args, **request.kwargs)
    except TypeError as error:
        return errors.WrongArguments(str(error), service=request.service, method=request.method)
    try:
        return function(*request.args, **request.kwargs)
    except AssertionError:  # of the test, not of the service
        raise
    except StopIteration:  # of a mock
        raise AssertionError(f"No answer is left for {request}.") from None
    except Exception as error:  # noqa: BLE001  the service raises it
        return error


def _rpc_error(error: Exception, request: Request) -> errors.RpcError:
    if isinstance(error, errors.RpcError):
        return error
    if isinstance(error, NamekoError):
        return error.error or _error_named(error, request)
    return remote_error(_described(error), request)


def _error_named(error: NamekoError, request: Request) -> errors.RpcError:
    """Return the client's error that users see as this one."""
    kind = getattr(errors, type(error).__name__, None)
    if kind is None:
        raise TypeError(f"{error!r} is no answer of a service or of the message broker.")
    return kind(str(error), service=request.service, method=request.method)


def _described(error: Exception) -> dict[str, Any]:
    """Return an exception of a service as Nameko describes it in a reply."""
    kind = type(error)
    return {
        "exc_type": kind.__name__,
        "exc_path": f"{kind.__module__}.{kind.__name__}",
        "exc_args": [
            arg if isinstance(arg, int | float | None) else str(arg) for arg in error.args
        ],
        "value": str(error),
    }


def in_a_reply(error: errors.RpcError, method: str) -> dict[str, Any]:
    """Return Nameko's description of an error; raise TypeError for one that no service sends."""
    if isinstance(error, errors.RemoteError):
        return {
            "exc_type": error.exc_type,
            "exc_path": error.exc_path,
            "exc_args": list(error.exc_args),
            "value": error.remote_message,
            "instance": error.instance,
            "traceback": error.traceback,
        }
    if type(error) not in PATHS:
        raise TypeError(f"{error!r} cannot be the answer to a job.")
    path, text = PATHS[type(error)], str(error)
    kind = path.rpartition(".")[2]
    return {"exc_type": kind, "exc_path": path, "exc_args": [method], "value": text}
