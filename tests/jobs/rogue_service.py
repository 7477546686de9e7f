"""A service that breaks the rules: it answers twice, never, with a wrong time, or with garbage."""

import contextlib
import json
import os
import random
from typing import Any

import kombu

REPLY = {"result": 0, "error": None}
GARBAGE = [
    (b"{", "application/json"),
    (b"\xff\xfe", "application/json"),
    (b"[]", "application/json"),
    (b'{"result": 1}', "application/json"),
    (b'{"result": 1, "error": 7}', "application/json"),
    (b"gASVBQAAAAAAAACMAWGULg==", "application/x-python-serialize"),
    (
        b'{"result": {"__type__": "datetime", "__value__": "never"}, "error": null}',
        "application/json",
    ),
]


HOSTILE = [
    b'{"result": "\\u0000", "error": null}',
    b'{"result": "\\ud800", "error": null}',
    b'{"result": ' + b"[" * 100_000 + b"]" * 100_000 + b', "error": null}',
    b'{"result": ' + b"[" * 960 + b"]" * 960 + b', "error": null}',
    b'{"result": ' + b"9" * 5_000 + b', "error": null}',
    b'{"result": [NaN, 1e999], "error": null}',
    b'{"result": null, "error": {"exc_type": "\\u0000", "exc_path": 7, "value": "\\ud800"}}',
    b'{"result": null, "error": {"exc_type": null, "exc_args": {"a": []}, "value": []}}',
]


class Rogue:
    def __init__(self, uri: Any) -> None:
        self.connection = kombu.Connection(uri, heartbeat=10)  # it exits with its connection
        self.exchange = kombu.Exchange("nameko-rpc", "topic", durable=True)
        self.producer = self.connection.Producer()
        self.garbage = 0

    def run(self) -> None:
        queue = kombu.Queue("rpc-rogue", self.exchange, "rogue.*", durable=True)
        with self.connection.Consumer(queue, callbacks=[self.on_request], accept=["json"]):
            print("ready", flush=True)  # noqa: T201  the test waits for this line
            while True:
                with contextlib.suppress(TimeoutError):
                    self.connection.drain_events(timeout=1)
                self.connection.heartbeat_check()

    def on_request(self, body: Any, message: Any) -> None:
        behaviour = message.delivery_info["routing_key"].partition(".")[2]
        getattr(self, behaviour)(body["args"], message)
        message.ack()

    def twice(self, args: Any, message: Any) -> None:
        for _ in range(2):
            self.answer(message, {"result": args[0] + args[1], "error": None})

    def twice_different(self, args: Any, message: Any) -> None:
        self.answer(message, {"result": args[0] + args[1], "error": None})
        self.answer(message, {"result": None, "error": {"exc_type": "Late", "value": "late"}})

    def never(self, args: Any, message: Any) -> None:
        pass

    def garbled(self, args: Any, message: Any) -> None:
        body, content_type = GARBAGE[self.garbage % len(GARBAGE)]
        self.garbage += 1
        self.answer(message, body, content_type)

    def hostile(self, args: Any, message: Any) -> None:
        """Send a well-formed reply with values that are hard to store in a database."""
        self.answer(message, random.choice(HOSTILE))  # noqa: S311

    def zero(self, args: Any, message: Any) -> None:
        self.answer(message, REPLY)

    def nested(self, args: Any, message: Any) -> None:
        """Answer with nested lists, as deep as the first argument says."""
        body = b'{"result": ' + b"[" * args[0] + b"]" * args[0] + b', "error": null}'
        self.answer(message, body)

    def dense(self, args: Any, message: Any) -> None:
        """Answer with almost the maximum size, full of small lists."""
        self.answer(message, b'{"result": [' + b"[]," * 4_900_000 + b'1], "error": null}')

    def odd(self, args: Any, message: Any) -> None:
        """Send replies with odd headers and unknown correlation ids, then an invalid reply."""
        for correlation_id in ("\0", "nobody", "x" * 250):
            odd = {"headers": {"nameko.call_id_stack": 5, "x": {"y": [None]}}, "priority": 200}
            self.answer(message, REPLY, correlation_id=correlation_id, type="\0", **odd)
        self.answer(message, b"\0")

    def to_nobody(self, args: Any, message: Any) -> None:
        message.properties["correlation_id"] = "nobody"
        self.answer(message, REPLY)

    def tomorrow(self, args: Any, message: Any) -> None:
        """Answer with a timestamp far in the future, as a machine with a wrong clock does."""
        self.answer(message, {"result": args[0] + args[1], "error": None}, timestamp=4_102_444_800)

    def answer(
        self, message: Any, body: Any, content_type: Any = "application/json", **properties: Any
    ) -> None:
        properties.setdefault("correlation_id", message.properties["correlation_id"])
        self.producer.publish(
            body if isinstance(body, bytes) else json.dumps(body),
            exchange=self.exchange,
            routing_key=message.properties["reply_to"],
            content_type=content_type,
            content_encoding="binary" if isinstance(body, bytes) else "utf-8",
            **properties,
        )


if __name__ == "__main__":
    Rogue(os.environ["AMQP_URI"]).run()
