"""A dead letter is a message that was given up: what it contains, and how to send it again.

Three kinds of queues hold them: `nameko.dead-<service>` has the requests that a service in our
container class gave up, `nameko.dead.requests` those that the broker gave up, and
`nameko_connector.dead-<identity>` the answers that belong to no job of a database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import amqp
from amqp.serialization import dumps

from ..amqp.frames import read_headers
from ..amqp.names import short
from .consumer import dead_queue, reply_queue
from .dead_requests import KEPT

OF_SERVICE = "nameko.dead-"  # and the service's name: services/messaging/counting.py
DELIVERIES = "x-nameko-deliveries"  # the header in which the service counted, and its reason
GIVEN_UP = "x-nameko-given-up"
COUNTED_BY_BROKER = ("x-delivery-count", "x-acquired-count")  # with each look
DEATHS = ("x-death", "x-first-death", "x-last-death")
# Beginnings of headers' names.
NOT_SENT_AGAIN = (*COUNTED_BY_BROKER, *DEATHS, DELIVERIES, GIVEN_UP, "CC", "BCC")
MOST_BODY = 10_000  # characters that are shown
Headers = dict[str, Any]


def queues_of(service: str) -> list[str]:
    """Return the queues that may have dead letters of a service."""
    return [OF_SERVICE + service, KEPT]


def queues_of_all(services: Collection[str], identity: str) -> list[str]:
    """Return the queues that may have dead letters of these services, or of a database's jobs."""
    return [KEPT, dead_queue(identity), *(OF_SERVICE + service for service in services)]


@dataclass(frozen=True)
class Address:
    """Where a letter was published to, and where it is published to again."""

    exchange: str
    routing_key: str
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up.

    kind: "request" or "answer"; key: equal for equal messages; name: what was asked for; body: the
    beginning of its text, empty where it is no text; size: in bytes; address: None where nobody
    knows where it was sent to.
    """

    kind: str
    queue: str
    key: str
    name: str
    correlation_id: str
    reason: str
    body: str
    size: int
    address: Address | None = None

    @property
    def service(self) -> str:
        """The service that it was sent to, as far as its name tells."""
        if self.queue.startswith(OF_SERVICE):
            return self.queue.removeprefix(OF_SERVICE)
        return self.name.partition(".")[0] if self.kind == "request" else ""


def letter_of(queue: str, message: Any) -> DeadLetter:
    """Return what a person is shown of a message from `queue`."""
    headers = read_headers(message.content_header)
    address = address_of(queue, headers)
    constant = {name: each for name, each in headers.items() if name not in COUNTED_BY_BROKER}
    about = repr([sorted(message.properties.items()), sorted(constant.items()), message.body_size])
    digest = hashlib.sha256(about.encode(errors="backslashreplace") + (message.body or b""))
    routing_key = message.delivery_info["routing_key"]
    return DeadLetter(
        kind="answer" if queue.startswith(dead_queue("")) else "request",
        queue=queue,
        key=digest.hexdigest(),
        name=_name(headers) or routing_key,
        correlation_id=str(message.properties.get("correlation_id", "")),
        reason=str(headers.get(GIVEN_UP, ""))[:MOST_BODY],
        body=_text(message.body or b""),
        size=message.body_size,
        address=address,
    )


def address_of(queue: str, headers: Headers) -> Address | None:
    """Return where a letter of `queue` was published to, as far as its headers tell."""
    if queue.startswith(dead_queue("")):
        return Address("", reply_queue(queue.removeprefix(dead_queue(""))))
    if queue == KEPT:
        exchange, key = _death(headers).get("exchange"), _routing_key(_death(headers))
        return Address(exchange, key) if _is_name(exchange) and _is_name(key) else None
    table = headers.get(DELIVERIES)
    if not isinstance(table, dict) or not _is_name(table.get("queue")):
        return None
    # Straight into its queue: others that were bound to its exchange have had it. The header tells
    # the service for which of its methods it is.
    return Address("", table["queue"], {DELIVERIES: {**table, "count": 0}})


def _is_name(value: Any) -> TypeGuard[str]:
    """Tell whether AMQP takes this as the name of a queue or an exchange, or as a routing key."""
    return isinstance(value, str) and value != "" and short(value) == value


def _name(headers: Headers) -> str:
    """Return the routing key under which a request was sent first, as far as its headers tell."""
    table = headers.get(DELIVERIES)
    key = table.get("routing_key") if isinstance(table, dict) else _routing_key(_death(headers))
    return key if isinstance(key, str) else ""


def _death(headers: Headers) -> dict[str, Any]:
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    return first if isinstance(first, dict) else {}


def _routing_key(death: dict[str, Any]) -> str:
    keys = death.get("routing-keys")
    return keys[0] if isinstance(keys, list) and keys and isinstance(keys[0], str) else ""


def _text(body: bytes) -> str:
    try:
        return body.decode()[:MOST_BODY]
    except UnicodeDecodeError:  # compressed, for example
        return ""


def copy_of(message: Any, address: Address) -> amqp.Message:
    """Return a copy of a letter as it was before it was given up; it no longer expires."""
    headers = {
        name: value
        for name, value in read_headers(message.content_header).items()
        if not name.startswith(NOT_SENT_AGAIN)
    }
    kept = {
        name: short(value) if isinstance(value, str) else value
        for name, value in message.properties.items()
        if name not in ("expiration", "delivery_mode", "user_id", "cluster_id")
    }
    return amqp.Message(
        message.body,
        application_headers=_writable({**headers, **address.headers}) or address.headers,
        delivery_mode=2,
        **kept,
    )


def _writable(headers: Headers) -> Headers:
    try:
        dumps("F", [headers])
    except Exception:  # noqa: BLE001  what could be read cannot always be written
        return {}
    return headers
