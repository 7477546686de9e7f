"""What RabbitMQ says of a queue over its management API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests

SECONDS = 3.0  # for connecting, and for each part of the answer


class ManagementError(Exception):
    """The management API gave no usable answer; the text says why, and holds no password."""


@dataclass(frozen=True)
class QueueReport:
    """Requests that wait, those that an instance has in hand, and who takes them."""

    ready: int
    unacknowledged: int
    consumers: int


NO_QUEUE = QueueReport(0, 0, 0)


def queue_report(uri: str, virtual_host: str, queue: str) -> QueueReport:
    """Ask for a queue; one that does not exist is empty.

    :param uri: http(s)://user:password@host:port
    :raises ManagementError: where it cannot be reached, refuses, or answers something else
    """
    address, login = _address(uri)
    path = f"{address}/api/queues/{quote(virtual_host, safe='')}/{quote(queue, safe='')}"
    try:
        answer = requests.get(path, auth=login, timeout=SECONDS, allow_redirects=False)
        if answer.status_code == requests.codes.not_found:
            return NO_QUEUE
        return _report(answer, address)
    except (requests.RequestException, ValueError, TypeError, KeyError) as error:
        kind = type(error).__name__
        raise ManagementError(f"RabbitMQ's management at {address}: {kind}.") from None


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


def _report(answer: requests.Response, address: str) -> QueueReport:
    if answer.status_code != requests.codes.ok:
        text = f"RabbitMQ's management at {address} answers with status {answer.status_code}"
        hint = (
            ": user or password are wrong"
            if answer.status_code == requests.codes.unauthorized
            else ""
        )
        raise ManagementError(f"{text}{hint}.")
    told: Any = answer.json()
    return QueueReport(
        # A queue that was made a moment ago has no figures yet.
        int(told.get("messages_ready", 0)),
        int(told.get("messages_unacknowledged", 0)),
        int(told.get("consumers", 0)),
    )
