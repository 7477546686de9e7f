"""What RabbitMQ says of queues over its management API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote, urlsplit

import requests

from .beat import LONGEST_NAME, NAME

SECONDS = 3.0  # for connecting, and for each part of the answer
MOST_SECONDS = 10.0  # for the whole answer
MOST_BYTES = 2_000_000  # of an answer
MOST_QUEUES = 500  # asked for at once
REQUESTS = "rpc-"  # of a service: the beginning of the name of the queue of Nameko's requests
DEAD = "nameko.dead-"  # and of the queue of those that it has given up
COLUMNS = (
    *("name", "messages", "messages_ready", "messages_unacknowledged", "consumers"),
    "message_stats.ack_details.rate",
)
UNUSABLE = (
    requests.RequestException, ValueError, TypeError, KeyError, AttributeError, RecursionError,
)  # fmt: skip
T = TypeVar("T")


class ManagementError(Exception):
    """The management API gave no usable answer; the text says why, and holds no password."""


@dataclass(frozen=True)
class QueueReport:
    """Requests that wait, those that an instance has in hand, and who takes them.

    rate: requests that are done, a minute. None where RabbitMQ keeps no such figure.
    """

    ready: int | None
    unacknowledged: int | None
    consumers: int | None
    rate: float | None = None

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


@dataclass(frozen=True)
class Page(Generic[T]):
    """Something of each service, by its name; is_whole: whether that is all that there is."""

    by_service: dict[str, T]
    is_whole: bool


def service_queues(uri: str, virtual_host: str) -> Page[QueueReport]:
    """Return the queues of requests, MOST_QUEUES at most: those that somebody consumes come first.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: where it cannot be reached, refuses, or answers something else
    """
    return _ask_for_all(uri, virtual_host, REQUESTS, "consumers", _report)


def dead_letter_counts(uri: str, virtual_host: str) -> Page[int]:
    """Return how many requests services have given up; see `service_queues`."""

    def read(told: Any) -> int:
        return _figure(told.get("messages")) or 0

    return _ask_for_all(uri, virtual_host, DEAD, "messages", read)


def _ask_for_all(
    uri: str, virtual_host: str, prefix: str, first: str, read: Callable[[Any], T]
) -> Page[T]:
    """Ask for the queues with this prefix; first: the figure of those that come first."""
    pattern = quote(f"^{re.escape(prefix)}", safe="")
    wanted = f"page=1&page_size={MOST_QUEUES}&name={pattern}&use_regex=true"
    wanted += f"&sort={first}&sort_reverse=true"
    path = f"queues/{quote(virtual_host, safe='')}?{wanted}&columns={','.join(COLUMNS)}"

    def read_all(told: Any) -> Page[T]:
        queues = told["items"][:MOST_QUEUES]
        each = ((str(queue["name"]).removeprefix(prefix), queue) for queue in queues)
        found = {name: read(queue) for name, queue in each if _is_name(name)}
        return Page(found, is_whole=int(told["filtered_count"]) <= len(queues))

    return _ask(uri, path, read_all) or Page({}, is_whole=False)


def _is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None and len(name) <= LONGEST_NAME


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


def _report(told: Any) -> QueueReport:
    return QueueReport(
        # A queue that was made a moment ago has no figures yet; others have none where RabbitMQ
        # runs without `management_metrics_collection`.
        _figure(told.get("messages_ready")),
        _figure(told.get("messages_unacknowledged")),
        _figure(told.get("consumers")),
        _rate(told.get("message_stats")),
    )


def _rate(stats: Any) -> float | None:
    """Return acknowledgements a minute; RabbitMQ counts them a second."""
    rate = stats.get("ack_details", {}).get("rate") if isinstance(stats, dict) else None
    return None if rate is None else 60 * float(rate)


def _figure(told: Any) -> int | None:
    return None if told is None else int(told)
