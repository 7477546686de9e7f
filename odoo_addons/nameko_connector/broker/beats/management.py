"""What RabbitMQ says of a queue over its management API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import requests

from .beat import LONGEST_NAME, NAME

SECONDS = 3.0  # for connecting, and for each part of the answer
MOST_SECONDS = 10.0  # for the whole answer
MOST_BYTES = 2_000_000  # of an answer
MOST_QUEUES = 500  # asked for at once
PREFIX = "rpc-"  # of the queues in which Nameko's requests wait
UNUSABLE = (
    requests.RequestException, ValueError, TypeError, KeyError, AttributeError, RecursionError,
)  # fmt: skip
T = TypeVar("T")


class ManagementError(Exception):
    """The management API gave no usable answer; the text says why, and holds no password."""


@dataclass(frozen=True)
class QueueReport:
    """Requests that wait, those that an instance has in hand, and who takes them.

    None where RabbitMQ keeps no such figure.
    """

    ready: int | None
    unacknowledged: int | None
    consumers: int | None

    @property
    def is_known(self) -> bool:
        """Whether RabbitMQ keeps all of them."""
        return None not in (self.ready, self.unacknowledged, self.consumers)


NO_QUEUE = QueueReport(0, 0, 0)


def queue_report(uri: str, virtual_host: str, queue: str) -> QueueReport:
    """Ask for a queue; one that does not exist is empty.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: where it cannot be reached, refuses, or answers something else
    """
    told = _ask(uri, f"queues/{quote(virtual_host, safe='')}/{quote(queue, safe='')}", _report)
    return NO_QUEUE if told is None else told


def service_names(uri: str, virtual_host: str) -> list[str]:
    """Return the services that have a queue for requests, MOST_QUEUES at most.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: where it cannot be reached, refuses, or answers something else
    """
    wanted = f"page=1&page_size={MOST_QUEUES}&name=%5E{PREFIX}&use_regex=true&columns=name"
    return _ask(uri, f"queues/{quote(virtual_host, safe='')}?{wanted}", _names) or []


def _ask(uri: str, path: str, read: Callable[[Any], T]) -> T | None:
    """GET from the API and read the JSON; None where there is no such thing."""
    address, login = _address(uri)
    try:
        with requests.get(
            f"{address}/api/{path}",
            auth=login,
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code == requests.codes.not_found:
                return None
            _check_status(answer, address)
            return read(json.loads(_body(answer)))
    except UNUSABLE as error:
        kind = type(error).__name__
        raise ManagementError(f"RabbitMQ's management at {address}: {kind}.") from None


def _body(answer: requests.Response) -> bytes:
    """Read it all; raises ValueError where it is too large or too slow."""
    until = time.monotonic() + MOST_SECONDS
    body = b""
    for part in answer.iter_content(65_536):
        body += part
        if len(body) > MOST_BYTES or time.monotonic() > until:
            raise ValueError("the answer is too large or too slow")
    return body


def _address(uri: str) -> tuple[str, tuple[str, str]]:
    """Part the address from user and password."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise ManagementError("management_uri has no valid host and port.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ManagementError("management_uri must be http://user:password@host:port.")
    login = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    return address, login


def _check_status(answer: requests.Response, address: str) -> None:
    if answer.status_code != requests.codes.ok:
        text = f"RabbitMQ's management at {address} answers with status {answer.status_code}"
        hint = (
            ": user or password are wrong"
            if answer.status_code == requests.codes.unauthorized
            else ""
        )
        raise ManagementError(f"{text}{hint}.")


def _names(told: Any) -> list[str]:
    names = [str(queue["name"]).removeprefix(PREFIX) for queue in told["items"][:MOST_QUEUES]]
    return [name for name in names if NAME.fullmatch(name) and len(name) <= LONGEST_NAME]


def _report(told: Any) -> QueueReport:
    return QueueReport(
        # A queue that was made a moment ago has no figures yet; others have none where RabbitMQ
        # runs without `management_metrics_collection`.
        _figure(told.get("messages_ready")),
        _figure(told.get("messages_unacknowledged")),
        _figure(told.get("consumers")),
    )


def _figure(told: Any) -> int | None:
    return None if told is None else int(told)
