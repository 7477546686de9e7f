"""Hypothesis strategies for all kinds of messages, mostly real ones with one thing wrong."""

import gzip
import json
import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.wire.raw import long, short
from tests.wire.tables import SCALARS, TABLES, VALUES, table

JSON = b"application/json"
CONTENT_TYPES = (
    JSON, b"application/data", b"application/text", b"text/plain", b"application/x-yaml", b"",
    b"application/x-python-serialize", b"application/x-msgpack", b"application/octet-stream",
    b"\xff", b"json",
)  # fmt: skip
ENCODINGS = (
    b"utf-8",
    b"binary",
    b"ascii",
    b"utf-16",
    b"base64",
    b"gzip",
    b"nonsense",
    b"",
    b"\xff",
)
PLACE = "\0 here"
# JSON values that are hard to decode or to store.
HARD = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0.0", b"9" * 400, b"9" * 5_000, b'""', b"{}",
    b"[]",
    b"null", b"true", b'"\\u0000"', b'"\\ud800"', b'"\\udc80\\ud800 x"', b'"\xff"', b'"\x00"',
    b"[" * 300 + b"]" * 300, b"[" * 945 + b"]" * 945, b"[" * 2_000 + b"]" * 2_000, b"[" * 200_000,
    b'{"a":' * 970 + b"1" + b"}" * 970, b'"' + b"x" * 70_000 + b'"', b"[" + b"0," * 50_000 + b"0]",
    b'{"__type__": "datetime", "__value__": "never"}', b'{"__type__": "decimal", "__value__": "x"}',
    b'{"__type__": "uuid", "__value__": 5}', b'{"__type__": [], "__value__": {}}',
    b'{"__type__": "bytes", "__value__": "\\ud800"}', b'{"a": 1, "a": 2}',
    b'"' + b"\\ud83d\\ude00" * 90 + b'"',
)  # fmt: skip
EXPIRATIONS = (*(b"0", b"1", b"60000", b"4294967295") * 3, b"x", b"-1")  # ms
BOMB = gzip.compress(bytes(100_000_000))
SAMPLE_BYTES = (b"", b"\0", b"{", b"}", b"\xff\xfe", b"\xef\xbb\xbf{}", b"5", b'"', BOMB)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.text(st.characters(categories=["Cs", "Cc"]), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())
RAW_JSON = st.sampled_from(HARD) | ANY_JSON


@dataclass(frozen=True)
class Target:
    """A target of messages. samples: real bodies; correlation_ids: known ones at the target.

    answers: the routing key of replies, if real messages for the target are requests
    """

    exchange: str
    key: str
    samples: Sequence[bytes]
    correlation_ids: Sequence[str] = ()
    answers: str = ""


@dataclass(frozen=True)
class Wire:
    """A message with encoded properties.

    must_be_answered: whether it is a request that needs a reply, whatever its body is
    """

    exchange: bytes
    key: bytes
    properties: dict[str, bytes] = field(repr=False)
    body: bytes = field(repr=False)
    must_be_answered: bool = False
    correlation_id: str = ""

    def __str__(self) -> str:
        shown = {name: value[:40] for name, value in self.properties.items()}
        return f"{self.exchange!r}/{self.key!r} {shown} {len(self.body)} bytes: {self.body[:120]!r}"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every place in a JSON value; the path of the whole is first."""
    children: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, list | dict):
        children = enumerate(value) if isinstance(value, list) else value.items()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


@st.composite
def mutated_json(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """Take a real body, and replace or delete the value in one place."""
    value = json.loads(draw(st.sampled_from(samples)))
    path = draw(st.sampled_from(places(value)))
    if not path:
        return draw(RAW_JSON)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    if draw(st.integers(0, 4)) == 0:
        del parent[path[-1]]
        return json.dumps(value).encode()
    parent[path[-1]] = PLACE
    return json.dumps(value).encode().replace(json.dumps(PLACE).encode(), draw(RAW_JSON))


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Cut a body off, or put other bytes into it."""
    body = draw(bodies)
    at = draw(st.integers(0, min(len(body), 2_000)))
    return body[:at] + draw(st.just(b"") | st.binary(max_size=3) | st.just(body[at + 1 :]))


def bodies(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    real = st.sampled_from(samples)
    return st.one_of(
        real,
        mutated_json(samples),
        mutated_json(samples),
        mutated_json(samples),
        damaged(real),
        real.map(gzip.compress),
        RAW_JSON,
        st.sampled_from(SAMPLE_BYTES),
        st.binary(max_size=200),
    )


def short_texts(*known: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy for encoded short strings: known ones, any bytes, and the longest."""
    odd = (
        st.binary(max_size=255)
        | st.just(b"x" * 255)
        | st.sampled_from((b"\0", b"\xff", b"\xed\xa0\x80"))
    )
    return (st.sampled_from(known) | odd if known else odd).map(short)


OCTET = st.integers(0, 255).map(lambda value: bytes([value]))
CALL_STACK = VALUES.map(lambda value: table([(b"nameko.call_id_stack", value)]))
NAMEKO_HEADERS = st.tuples(
    st.sampled_from((b"nameko.job", b"nameko.idempotency_id", b"nameko.attempt", b"compression")),
    SCALARS,
).map(lambda entry: table([entry]))


def odd_properties(target: Target) -> dict[str, st.SearchStrategy[bytes]]:
    """Return a strategy for each property."""
    replies = [target.answers.encode(), b"nobody", b""] if target.answers else [b"nobody", b""]
    return {
        "content_type": short_texts(*CONTENT_TYPES),
        "content_encoding": short_texts(*ENCODINGS),
        "headers": TABLES | CALL_STACK | NAMEKO_HEADERS,
        "delivery_mode": st.sampled_from((b"\1", b"\2") * 6 + (b"\0", b"\xff")),
        "priority": OCTET,
        "correlation_id": short_texts(*map(str.encode, target.correlation_ids), b"\0", b""),
        "reply_to": short_texts(*replies),
        "expiration": st.sampled_from(EXPIRATIONS).map(short),
        "message_id": short_texts(),
        "timestamp": st.integers(0, 2**64 - 1).map(lambda value: struct.pack(">Q", value)),
        "type": short_texts(),
        "user_id": st.sampled_from((*[b"nameko"] * 9, b"x")).map(short),
        "app_id": short_texts(),
        "cluster_id": short_texts(),
    }  # fmt: skip


def real_properties(target: Target, correlation_id: str) -> dict[str, bytes]:
    """Return the properties of a message as Nameko's clients and services send it."""
    stack = b"A" + long(b"S" + long(b"odoo.call.1"))
    found = {
        "content_type": short(JSON),
        "content_encoding": short(b"utf-8"),
        "headers": table([(b"nameko.call_id_stack", stack)]),
        "delivery_mode": b"\2",
        "correlation_id": short(correlation_id.encode()),
    }
    return found | ({"reply_to": short(target.answers.encode())} if target.answers else {})


@st.composite
def messages(draw: st.DrawFn, targets: Sequence[Target]) -> Wire:
    """Make a message for one of the targets."""
    target = draw(st.sampled_from(targets))
    correlation_id = (
        draw(st.sampled_from(target.correlation_ids))
        if target.correlation_ids
        else str(uuid.UUID(int=draw(st.integers(0, 2**128 - 1))))
    )
    properties = real_properties(target, correlation_id)
    strategies = odd_properties(target)
    changes = draw(st.sampled_from((0, 0, 0, 1, 1, 2, 14)))
    for name in draw(st.permutations(list(strategies)))[:changes]:
        properties.pop(name, None)
        if draw(st.integers(0, 5)):
            properties[name] = draw(strategies[name])
    key = draw(keys(target))
    is_call = bool(target.answers) and target.exchange == "nameko-rpc" and is_routable(key)
    return Wire(
        target.exchange.encode(),
        key,
        properties,
        draw(bodies(target.samples)),
        must_be_answered=is_call and not changes,
        correlation_id=correlation_id,
    )


def keys(target: Target) -> st.SearchStrategy[bytes]:
    """Return a strategy for the target's routing key; for a service, sometimes another method."""
    key = target.key.encode()
    if target.exchange != "nameko-rpc" or not target.answers:
        return st.just(key)
    service = key.partition(b".")[0]
    odd = st.sampled_from((b"", b"nothing", b"__init__", b"\xff\0", b"x" * 200)) | st.binary(
        max_size=40
    )
    other = odd.map(lambda method: service + b"." + method)
    return st.sampled_from((True, True, True, True, False)).flatmap(
        lambda same: st.just(key) if same else other
    )


def is_routable(key: bytes) -> bool:
    """Return whether a request with this routing key reaches its service and can be answered.

    Nameko binds a queue with `service.*`, so RabbitMQ drops a message whose key has another dot. A
    message whose key is not UTF-8 becomes a dead letter.
    """
    try:
        return key.decode().count(".") == 1
    except UnicodeDecodeError:
        return False
