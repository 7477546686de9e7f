"""Read the state of queues from RabbitMQ's management API."""

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

SECONDS = 3.0  # for connecting, and for each read
MOST_SECONDS = 10.0  # for the whole answer
MOST_BYTES = 2_000_000  # of an answer
MOST_QUEUES = 500  # per request
REQUESTS = "rpc-"  # and a service's name: its request queue
DEAD = "nameko.dead-"  # and a service's name: the queue of its dead letters
COLUMNS = (
    *("name", "messages", "messages_ready", "messages_unacknowledged", "consumers"),
    "message_stats.ack_details.rate",
)
UNUSABLE = (
    requests.RequestException, ValueError, TypeError, KeyError, AttributeError, RecursionError,
)  # fmt: skip
T = TypeVar("T")


class ManagementError(Exception):
    """The management API sent no usable answer; the text says why, without the password."""


@dataclass(frozen=True)
class QueueReport:
    """The ready and unacknowledged messages of a queue, and the number of its consumers.

    rate: acknowledged messages per minute. A value is None if RabbitMQ does not report it.
    """

    ready: int | None
    unacknowledged: int | None
    consumers: int | None
    rate: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether RabbitMQ reports all three counts."""
        return None not in (self.ready, self.unacknowledged, self.consumers)


NO_QUEUE = QueueReport(0, 0, 0)


def queue_report(uri: str, virtual_host: str, queue: str) -> QueueReport:
    """Return the report on a queue; NO_QUEUE if it does not exist.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: the API cannot be reached, refuses, or sends an invalid answer
    """
    reported = _ask(uri, f"queues/{quote(virtual_host, safe='')}/{quote(queue, safe='')}", _report)
    return NO_QUEUE if reported is None else reported


@dataclass(frozen=True)
class Page(Generic[T]):
    """A value for each service, by its name; is_whole: whether all services are included."""

    by_service: dict[str, T]
    is_whole: bool


def service_queues(uri: str, virtual_host: str) -> Page[QueueReport]:
    """Return the reports on request queues, MOST_QUEUES at most: those with consumers come first.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: the API cannot be reached, refuses, or sends an invalid answer
    """
    return _ask_for_all(uri, virtual_host, REQUESTS, "consumers", _report)


def dead_letter_counts(uri: str, virtual_host: str) -> Page[int]:
    """Return the number of dead-lettered requests by service; see `service_queues`."""

    def read(reported: Any) -> int:
        return _figure(reported.get("messages")) or 0

    return _ask_for_all(uri, virtual_host, DEAD, "messages", read)


def _ask_for_all(
    uri: str, virtual_host: str, prefix: str, first: str, read: Callable[[Any], T]
) -> Page[T]:
    """Ask for the queues with this prefix; first: the field to sort by, largest first."""
    pattern = quote(f"^{re.escape(prefix)}", safe="")
    wanted = f"page=1&page_size={MOST_QUEUES}&name={pattern}&use_regex=true"
    wanted += f"&sort={first}&sort_reverse=true"
    path = f"queues/{quote(virtual_host, safe='')}?{wanted}&columns={','.join(COLUMNS)}"

    def read_all(reported: Any) -> Page[T]:
        queues = reported["items"][:MOST_QUEUES]
        each = ((str(queue["name"]).removeprefix(prefix), queue) for queue in queues)
        found = {name: read(queue) for name, queue in each if _is_name(name)}
        return Page(found, is_whole=int(reported["filtered_count"]) <= len(queues))

    return _ask(uri, path, read_all) or Page({}, is_whole=False)


def _is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None and len(name) <= LONGEST_NAME


def _ask(uri: str, path: str, read: Callable[[Any], T]) -> T | None:
    """GET from the API and parse the JSON; return None for status 404."""
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
    """Return the whole body; raise ValueError if it is too large or too slow."""
    until = time.monotonic() + MOST_SECONDS
    body = b""
    for part in answer.iter_content(65_536):
        body += part
        if len(body) > MOST_BYTES or time.monotonic() > until:
            raise ValueError("the answer is too large or too slow")
    return body


def _address(uri: str) -> tuple[str, tuple[str, str]]:
    """Separate the address from the user and password."""
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


def _report(reported: Any) -> QueueReport:
    return QueueReport(
        # A new queue has no figures yet. No queue has any if RabbitMQ runs without
        # `management_metrics_collection`.
        _figure(reported.get("messages_ready")),
        _figure(reported.get("messages_unacknowledged")),
        _figure(reported.get("consumers")),
        _rate(reported.get("message_stats")),
    )


def _rate(stats: Any) -> float | None:
    """Return acknowledgements per minute; RabbitMQ reports them per second."""
    rate = stats.get("ack_details", {}).get("rate") if isinstance(stats, dict) else None
    return None if rate is None else 60 * float(rate)


def _figure(reported: Any) -> int | None:
    return None if reported is None else int(reported)
