"""Decode the replies and progress events of jobs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..amqp import errors
from ..amqp.encoding import remote_error
from ..amqp.reading import MOST_DEPTH, MOST_VALUES, UNREADABLE, has_many_values, is_deep
from ..amqp.request import Request
from .body import decode
from .ids import is_uuid, read_correlation_id


@dataclass(frozen=True)
class Delivery:
    """A message from a queue: `tag` is its delivery tag.

    body: None if it is larger than the configuration allows; size: of the body, in bytes;
    redelivered: whether it was delivered before, to any consumer, and not settled.
    """

    tag: int
    correlation_id: str
    content_type: str
    body: Any
    redelivered: bool = False
    size: int = 0


@dataclass(frozen=True)
class Reply:
    """A service's reply to the job `uuid`.

    text: the result as JSON; result: the same as Python values; error: Nameko's description of an
    exception, instead of a result; unreadable: why the message is not a valid reply, instead of
    both; attempt: the number of the attempt, from 1 on; None if the message does not contain it.
    """

    uuid: str
    text: str = "null"
    result: Any = None
    error: Mapping[str, Any] | None = None
    unreadable: str = ""
    attempt: int | None = None

    @property
    def was_unreadable(self) -> bool:
        """Whether it is not a valid reply."""
        return bool(self.unreadable)


class ArrivedReply:
    """A Reply whose message is decoded when its content is first used.

    Decoding a large reply takes seconds. So the threads that write results do it, and only for jobs
    that exist.
    """

    def __init__(self, uuid: str, attempt: int | None, delivery: Delivery) -> None:
        self.uuid, self.attempt = uuid, attempt
        self._delivery = delivery
        self._read: Reply | None = None

    @property
    def _content(self) -> Reply:
        if self._read is None:
            self._read = replace(_read(self.uuid, self._delivery), attempt=self.attempt)
        return self._read

    @property
    def was_unreadable(self) -> bool:
        """Whether it was decoded and is not a valid reply; does not decode it."""
        return self._read is not None and self._read.was_unreadable

    @property
    def text(self) -> str:
        return self._content.text

    @property
    def result(self) -> Any:
        return self._content.result

    @property
    def error(self) -> Mapping[str, Any] | None:
        return self._content.error

    @property
    def unreadable(self) -> str:
        return self._content.unreadable


def reply_of(delivery: Delivery) -> ArrivedReply | None:
    """Return the reply in a message; None if its correlation id is not that of a job.

    A message that is not a valid Nameko reply becomes `unreadable` when it is decoded.
    """
    known = read_correlation_id(delivery.correlation_id)
    return known and ArrivedReply(*known, delivery)


def _read(uuid: str, delivery: Delivery) -> Reply:
    try:
        sent = text_of(delivery)
        if has_many_values(sent):
            return Reply(uuid, unreadable=f"it has more than {MOST_VALUES:,} values")
        content = json.loads(sent)
        if is_deep(content):
            return Reply(uuid, unreadable=f"it is nested more than {MOST_DEPTH} deep")
        error = content["error"]
        if not isinstance(error, dict | None) or "result" not in content:
            return Reply(uuid, unreadable="it has not the form of a reply of Nameko's")
        text = json.dumps(content["result"])
        return Reply(uuid, text, decode(text, content["result"]), error)
    except UNREADABLE as problem:
        return Reply(uuid, unreadable=f"it is no JSON of Nameko's ({type(problem).__name__})")


def error_of(reply: Reply | ArrivedReply, service: str, method: str) -> errors.RpcError:
    """Return the exception for a reply without a result."""
    request = Request(service, method)
    if reply.unreadable:
        text = f"{request} ran, but its answer cannot be used: {reply.unreadable}."
        return errors.BadReply(text, service=service, method=method)
    return remote_error(reply.error or {}, request)


def read_progress(delivery: Delivery) -> tuple[str, float] | None:
    """Return the job's uuid and its progress, from 0 to 1; None if it is not a progress event."""
    try:
        event = json.loads(text_of(delivery))
        share = float(event["progress"])
        uuid = event["job"]
    except UNREADABLE:
        return None
    if not is_uuid(uuid) or not math.isfinite(share):
        return None
    return uuid, min(1.0, max(0.0, share))


def text_of(delivery: Delivery) -> str:
    """Return the JSON text of a message; raise one of UNREADABLE if it is not JSON."""
    if delivery.content_type != "application/json":
        raise ValueError("not JSON")
    return delivery.body if isinstance(delivery.body, str) else bytes(delivery.body).decode()
