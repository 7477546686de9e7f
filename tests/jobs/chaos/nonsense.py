"""Malformed messages, for the queues that the relay and our container consume."""

from tests.jobs.world import World
from tests.wire.raw import RawPublisher, Refused, long, short
from tests.wire.tables import nested, table

JSON = short(b"application/json")
REPLY = b'{"result": 1, "error": null}'
REQUEST = b'{"args": [1, 1], "kwargs": {}}'
PROPERTIES: list[tuple[dict[str, bytes], bytes]] = [
    ({}, b""),
    ({"content_type": JSON}, REPLY),
    ({"content_type": JSON, "correlation_id": short(b"\0")}, REPLY),
    ({"content_type": JSON, "correlation_id": short(b"\xff\xfe")}, REPLY),
    ({"content_type": JSON, "correlation_id": short(b"\xed\xa0\x80")}, REPLY),
    ({"content_type": JSON, "correlation_id": short(b"x" * 255)}, b"[" * 100_000),
    ({"content_type": short(b"\xff")}, REPLY),
    ({"content_type": short(b"application/data"), "reply_to": short(b"nobody")}, REQUEST),
    ({"content_type": short(b"application/text"), "reply_to": short(b"nobody")}, REQUEST),
    ({"content_type": JSON, "headers": table([(b"nameko.call_id_stack", b"I\0\0\0\5")])}, REQUEST),
    ({"content_type": JSON, "headers": table([(b"x", nested(1_000))])}, REQUEST),
    ({"content_type": JSON, "headers": table([(b"\xff", b"S" + long(b"\xff"))])}, REQUEST),
    ({"content_type": JSON, "headers": table([(b"compression", b"S" + long(b"x"))])}, REQUEST),
    ({"content_type": JSON}, b'{"job": "\\u0000", "progress": 0.5}'),
    ({"content_type": JSON}, b'{"job": ["\\ud800"], "progress": "NaN"}'),
    ({"content_type": JSON}, b"x" * 5_000_000),
]


def send_nonsense(world: World) -> None:
    """Send each message to each queue; raises OSError if the broker is down."""
    publisher = RawPublisher(world.amqp_uri)
    for exchange, key in (
        (b"nameko-rpc", b"probe.add"),
        (b"", world.reply_queue.encode()),
        (b"", f"nameko_connector.progress-{world.identity}".encode()),
        (b"", f"nameko_connector.beats-{world.identity}".encode()),
    ):
        for properties, body in PROPERTIES:
            try:
                publisher.publish(exchange, key, properties, body)
            except Refused:
                continue
    publisher.close()
