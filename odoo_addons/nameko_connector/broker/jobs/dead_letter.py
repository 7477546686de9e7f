"""Read a dead letter, that is, a message that was given up, and prepare to send it again.

Three kinds of queues hold dead letters: `nameko.dead-<service>` has the requests that a service in
this project's container class gave up, `nameko.dead.requests` those that the broker gave up, and
`nameko_connector.dead-<identity>` the replies that belong to no job of a database.
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
DELIVERIES = "x-nameko-deliveries"  # the header with the service's count of deliveries
GIVEN_UP = "x-nameko-given-up"
COUNTED_BY_BROKER = ("x-delivery-count", "x-acquired-count")  # changes with each look
DEATHS = ("x-death", "x-first-death", "x-last-death")
# Prefixes of the names of headers.
NOT_SENT_AGAIN = (*COUNTED_BY_BROKER, *DEATHS, DELIVERIES, GIVEN_UP, "CC", "BCC")
MOST_BODY = 10_000  # characters of a body that are shown
Headers = dict[str, Any]


def queues_of(service: str) -> list[str]:
    """Return the queues that may have dead letters of a service."""
    return [OF_SERVICE + service, KEPT]


def queues_of_all(services: Collection[str], identity: str) -> list[str]:
    """Return the queues that may have dead letters of these services, or of a database's jobs."""
    return [KEPT, dead_queue(identity), *(OF_SERVICE + service for service in services)]


@dataclass(frozen=True)
class Address:
    """The exchange, routing key and headers with which a dead letter is published again."""

    exchange: str
    routing_key: str
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up.

    kind: "request" or "answer"; key: a hash, the same for equal messages; name: the routing key,
    such as `service.method`; body: the beginning of its text, "" if it is not text; size: in bytes;
    address: None if its destination is unknown.
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
        """The service that it was sent to, from its queue or its name; "" for an answer."""
        if self.queue.startswith(OF_SERVICE):
            return self.queue.removeprefix(OF_SERVICE)
        return self.name.partition(".")[0] if self.kind == "request" else ""


def letter_of(queue: str, message: Any) -> DeadLetter:
    """Return a message from `queue` as a dead letter."""
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
    """Return the destination of a letter in `queue`; None if its headers do not contain it."""
    if queue.startswith(dead_queue("")):
        return Address("", reply_queue(queue.removeprefix(dead_queue(""))))
    if queue == KEPT:
        exchange, key = _death(headers).get("exchange"), _routing_key(_death(headers))
        return Address(exchange, key) if _is_name(exchange) and _is_name(key) else None
    table = headers.get(DELIVERIES)
    if not isinstance(table, dict) or not _is_name(table.get("queue")):
        return None
    # Only into its own queue: other queues bound to the exchange have received the message. From
    # the header, the service reads the method.
    return Address("", table["queue"], {DELIVERIES: {**table, "count": 0}})


def _is_name(value: Any) -> TypeGuard[str]:
    """Return whether AMQP accepts it as the name of a queue or exchange, or as a routing key."""
    return isinstance(value, str) and value != "" and short(value) == value


def _name(headers: Headers) -> str:
    """Return a request's original routing key; "" if its headers do not contain it."""
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
    """Return a copy of a letter as it was before it was given up, without expiration."""
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
    except Exception:  # noqa: BLE001  some headers can be read but not written
        return {}
    return headers
