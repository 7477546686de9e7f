"""Hypothesis strategies for all kinds of AMQP messages, and a client that sends them."""

import json
import zlib
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
from amqp import spec
from hypothesis import strategies as st

from tests.waiting import PATIENCE

SHORT = st.binary(max_size=60) | st.binary(min_size=255, max_size=255) | st.text(max_size=60)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)  # RabbitMQ takes no others
    | st.binary(max_size=20)
    | st.text(max_size=20).filter(lambda text: text.isprintable()),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text("abc.", max_size=9), each),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("nameko.call_id_stack", "call_id_stack", "nameko.job", "job", "compression", "x-death"),
        *("nameko.idempotency_id", "nameko.language", "x-nameko-deliveries", "nameko."),
    ]
)
HEADERS = st.dictionaries(NAMES | st.text("abcé", max_size=9), VALUES, max_size=4)
REQUEST = {"args": [1], "kwargs": {}}
BODIES = st.sampled_from(
    [
        *(b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b"[" * 100_000, b"{" * 100_000),
        *(
            b'{"args": 5, "kwargs": 6}',
            b'{"args": [], "kwargs": []}',
            b'{"args": [], "kwargs": {}}',
        ),
        b'{"args": [1], "kwargs": {"self": 1}}',
        b'{"args": [' + b"9" * 5000 + b'], "kwargs": {}}',
        b'{"args": [' + b"[" * 900 + b"]" * 900 + b'], "kwargs": {}}',
        b'{"args": [NaN], "kwargs": {}}',
        rb'{"args": ["\ud800\u0000"], "kwargs": {"\ud800": 1}}',
        b'{"args": [{"__type__": [], "__value__": 1}], "kwargs": {}}',
        b'{"args": [{"__type__": "uuid", "__value__": {}}], "kwargs": {}}',
        b'{"args": [{"__type__": "decimal", "__value__": "1e999999999"}], "kwargs": {}}',
        b'{"args": [{"__type__": "datetime", "__value__": "never"}], "kwargs": {}}',
        b'{"result": null, "error": {"exc_path": 1}}',
        zlib.compress(b"x" * 50_000_000),
        json.dumps(REQUEST).encode(),
    ]
) | st.binary(max_size=50)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "content_type": SHORT
        | st.sampled_from(
            [
                *("application/json", "application/data", "application/text", "text/plain"),
                *("application/x-python-serialize", "application/x-yaml", "application/x-msgpack"),
            ]
        ),
        "content_encoding": SHORT | st.sampled_from(["utf-8", "binary", "zlib", "idna", "utf-16"]),
        "application_headers": HEADERS | st.just({"compression": "gzip"}),
        "priority": st.integers(0, 255),
        "correlation_id": SHORT,
        "reply_to": SHORT,
        "message_id": SHORT,
        "timestamp": st.integers(0, 2**64 - 1),
        "type": SHORT,
        "app_id": SHORT,
        "expiration": st.sampled_from(["60000", "4294967295"]),
    },
)
MESSAGES = st.tuples(BODIES, PROPERTIES)


class RawClient:
    """Publishes messages with any bytes in properties, headers and keys, and reads replies."""

    def __init__(self, amqp_uri: str) -> None:
        address = urlsplit(amqp_uri)
        self.connection = amqp.Connection(
            f"{address.hostname}:{address.port}",
            userid=unquote(address.username or "guest"),
            password=unquote(address.password or "guest"),
            virtual_host=unquote(address.path[1:]) or "/",
        )
        self.connection.connect()
        self.channel = self.connection.channel()
        self.channel.confirm_select()
        self.reply_to = self.channel.queue_declare("", exclusive=True).queue
        self.channel.exchange_declare("nameko-rpc", "topic", durable=True, auto_delete=False)
        self.channel.queue_bind(self.reply_to, "nameko-rpc", self.reply_to)
        self.replies: list[Any] = []
        self.channel.basic_consume(self.reply_to, callback=self._on_reply, no_ack=True)

    def _on_reply(self, message: Any) -> None:
        self.replies.append((message.properties.get("correlation_id"), json.loads(message.body)))

    def publish(self, exchange: str, key: str | bytes, body: bytes, **properties: Any) -> None:
        """Publish and wait for the broker's confirm."""
        message = amqp.Message(body, **properties)
        arguments = (0, exchange, key, False, False)
        self.channel.send_method(spec.Basic.Publish, "Bssbb", arguments, message)
        self.channel.wait([spec.Basic.Ack, spec.Basic.Nack], timeout=60)

    def request(
        self, key: str | bytes, body: bytes, correlation_id: str, **properties: Any
    ) -> None:
        """Publish a request whose reply comes to `replies`."""
        self.publish(
            "nameko-rpc",
            key,
            body,
            **{"reply_to": self.reply_to, "content_type": "application/json", **properties},
            correlation_id=correlation_id,
        )

    def reply(self, correlation_id: str, timeout: float = PATIENCE) -> Any:
        """Wait for the reply with this correlation id and return it."""
        while True:
            for number, (found, reply) in enumerate(self.replies):
                if found == correlation_id:
                    del self.replies[number]
                    return reply
            try:
                self.connection.drain_events(timeout=timeout)
            except TimeoutError as error:
                raise AssertionError(f"no reply {correlation_id} in {self.replies}") from error

    def close(self) -> None:
        self.connection.close()
