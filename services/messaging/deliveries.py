"""Records how often a message was redelivered, in a header of its copies.

The broker only marks a message as `redelivered`; it does not count, and the message may or may not
be the cause. So the message is replaced by a copy at the end of a queue, which has the record.
"""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from amqp import Message
from amqp.serialization import dumps
from nameko.constants import PERSISTENT

from services.messaging.reading import UNPACKERS

HEADER = "x-nameko-deliveries"
KEPT_PROPERTIES = (
    *("content_type", "content_encoding", "correlation_id", "reply_to", "priority", "type"),
    *("timestamp", "app_id"),  # not `user_id`, which the broker compares with the publisher's
)
# The broker sets these itself, or acts on them when it routes or dead-letters a message.
DROPPED_HEADERS = frozenset(
    ("CC", "BCC", "x-death", "x-delivery-count", "x-acquired-count", HEADER)
)


@dataclass
class Record:
    """The record of a message's deliveries.

    count: deliveries that were not acked; queue: its original queue; since: when the first copy
    was made, in ms since 1970.
    """

    count: int
    queue: str
    exchange: str
    routing_key: str
    message_id: str
    since: int

    @classmethod
    def take(cls, message: Any, queue: str) -> "Record":
        """Return a message's record, and restore the message's original exchange and headers."""
        info, table = message.delivery_info, message.headers.pop(HEADER, None)
        if not isinstance(table, dict):
            table = {}
        count, since = table.get("count"), table.get("since")
        record = cls(
            count=count if isinstance(count, int) and count > 0 else 0,
            queue=_text(table, "queue", queue),
            exchange=_text(table, "exchange", info["exchange"]),
            routing_key=_text(table, "routing_key", info["routing_key"]),
            message_id=_text(table, "message_id", message.properties.get("message_id") or ""),
            since=since if isinstance(since, int) and since > 0 else _now(),
        )
        info.update(exchange=record.exchange, routing_key=record.routing_key)
        return record


def _text(table: dict[Any, Any], name: str, otherwise: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else otherwise


def _now() -> int:
    return int(time.time() * 1000)


def copy_of(message: Any, record: Record, **headers: Any) -> Message:
    """Return a copy of a delivered message, to be published, with `record` in a header."""
    kept = {
        name: message.properties[name] for name in KEPT_PROPERTIES if name in message.properties
    }
    if isinstance(message.compression, str) and message.compression in UNPACKERS:
        headers["compression"] = message.compression
    return Message(
        message.packed,
        application_headers={**_headers(message), **headers, HEADER: vars(record)},
        delivery_mode=PERSISTENT,
        message_id=str(uuid.uuid4()),
        expiration=_expiration(message, record),
        **kept,
    )


def _headers(message: Any) -> dict[str, Any]:
    headers = {name: each for name, each in message.headers.items() if name not in DROPPED_HEADERS}
    try:
        dumps("F", [headers])
    except Exception:  # noqa: BLE001 - what could be read cannot always be written
        return {}
    return headers


def _expiration(message: Any, record: Record) -> str | None:
    """Return the rest of a message's time to live in ms, counted from its first copy, or None."""
    expiration = message.properties.get("expiration")
    if not isinstance(expiration, str) or not expiration.isdecimal():
        return None
    return str(max(1, int(expiration) - max(0, _now() - record.since)))
