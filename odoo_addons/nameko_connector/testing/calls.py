"""Answer calls without a broker.

Answers by hand, with what was called kept::

    with answered_calls({"pricing.quote": 42}) as calls:
        order.action_quote()
    self.assertEqual(calls, [Request("pricing", "quote", (order.id,), {"qty": 3})])

or recorded from the real services once, and replayed from a file ever after::

    with recorded_calls(Path(__file__).with_name("quote.json")):
        order.action_quote()

A file that does not exist yet is recorded; delete it to record anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kombu.utils.json import dumps, loads

from ..broker.amqp import errors
from ..broker.amqp.encoding import encode
from ..broker.amqp.request import Outcome, Request
from ..broker.rpc.client import client_for
from ..models.calls.nameko_rpc import NamekoRpc
from ..tools.configuration import broker_config
from .answers import outcome_of


@contextmanager
def answered_calls(answers: Mapping[str, Any]) -> Iterator[list[Request]]:
    """Answer calls by hand; return the list that collects the requests.

    :param answers: per "service.method" a value, an exception or a function: see `answers.py`; a
        call of anything else meets `UnknownService`
    """
    client = _AnsweringClient(answers)
    with patch.object(NamekoRpc, "_client", lambda self: client):
        yield client.requests


@contextmanager
def recorded_calls(path: Path) -> Iterator[None]:
    """Replay the calls kept in a file, or make and keep them where it does not exist.

    Replayed calls must be the recorded ones in the recorded order.

    :raises AssertionError: for a call that was not recorded next, or calls that were not made
    """
    client = _ReplayingClient(path) if path.exists() else _RecordingClient()
    with patch.object(NamekoRpc, "_client", lambda self: client):
        yield
    client.finish(path)


class _Client:
    """What `nameko.rpc` needs of a client, made of one method that answers one request."""

    def answer(self, request: Request) -> Outcome:
        raise NotImplementedError

    def call(self, request: Request, **_options: Any) -> Any:
        return self.answer(request).get()

    def call_many(self, requests: Sequence[Request], **_options: Any) -> list[Outcome]:
        return [self.answer(request) for request in requests]


class _AnsweringClient(_Client):
    """Refuses arguments that cannot be sent, and returns results as they come from a service."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Outcome:
        self.requests.append(request)
        try:
            encode(request, None)
        except errors.NotSendable as error:
            return Outcome(error=error)
        if str(request) not in self.answers:
            text = f"No answer was given for {request}."
            unknown = errors.UnknownService(text, service=request.service, method=request.method)
            return Outcome(error=unknown)
        outcome = outcome_of(self.answers[str(request)], request)
        return outcome if outcome.error else Outcome(loads(dumps(outcome.result)))


class _RecordingClient(_Client):
    def __init__(self) -> None:
        self.client = client_for(broker_config())
        self.recorded: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Outcome:
        (outcome,) = self.client.call_many([request])
        answer = {"result": outcome.result, "error": _error_values(outcome.error)}
        self.recorded.append({**_request_values(request), **answer})
        return outcome

    def finish(self, path: Path) -> None:
        path.write_text(dumps(self.recorded, indent=2) + "\n")


class _ReplayingClient(_Client):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.left: list[dict[str, Any]] = loads(path.read_text())

    def answer(self, request: Request) -> Outcome:
        wanted = loads(dumps(_request_values(request)))
        recorded = self.left.pop(0) if self.left else {}
        if {name: recorded.get(name) for name in wanted} != wanted:
            raise AssertionError(
                f"{request} with {wanted} is not the call that {self.path} has next: {recorded}. "
                "Delete the file to record anew."
            )
        return Outcome(recorded["result"], _error(recorded["error"]))

    def finish(self, path: Path) -> None:
        if self.left:
            raise AssertionError(f"{len(self.left)} calls of {path} were not made: {self.left}")


def _request_values(request: Request) -> dict[str, Any]:
    return {
        "service": request.service,
        "method": request.method,
        "args": list(request.args),
        "kwargs": dict(request.kwargs),
    }


def _error_values(error: errors.RpcError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"type": type(error).__name__, "message": str(error), "attributes": vars(error)}


def _error(values: dict[str, Any] | None) -> errors.RpcError | None:
    """Make the recorded error anew, without what its class asks of its makers."""
    if values is None:
        return None
    kind = getattr(errors, values["type"])
    error = kind.__new__(kind)
    Exception.__init__(error, values["message"])
    vars(error).update(values["attributes"])
    return error
