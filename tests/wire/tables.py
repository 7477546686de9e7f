"""Hypothesis strategies for encoded AMQP field values and tables of every type and depth."""

import struct
from typing import Literal

from hypothesis import strategies as st

from tests.wire.raw import long, short

MOST_BYTES = 100_000  # of headers: they must fit into one frame
# The headers that Nameko, kombu and this project read.
NAMES = (
    b"nameko.call_id_stack", b"nameko.job", b"nameko.idempotency_id", b"nameko.language",
    b"nameko.user_id", b"nameko.attempt", b"nameko.database", b"nameko.company_id", b"nameko.",
    b"compression", b"x-death", b"x-delivery-count", b"bodyencoding", b"traceparent", b"",
)  # fmt: skip
WORDS = (b"application/x-gzip", b"application/x-bz2", b"lzma", b"zlib", b"base64", b"1", b"\0")


def number(code: bytes, layout: str, bits: int, *, signed: bool) -> st.SearchStrategy[bytes]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(lambda value: code + struct.pack(f">{layout}", value))


def floating(code: bytes, layout: str, width: Literal[32, 64]) -> st.SearchStrategy[bytes]:
    return st.floats(width=width).map(lambda value: code + struct.pack(f">{layout}", value))


def text() -> st.SearchStrategy[bytes]:
    return (
        st.sampled_from(WORDS)
        | st.binary(max_size=60)
        | st.text(max_size=30).map(lambda value: value.encode("utf-8", "surrogatepass"))
    )


SCALARS = st.one_of(
    text().map(lambda value: b"S" + long(value)),
    st.binary(max_size=60).map(lambda value: b"x" + long(value)),
    number(b"b", "b", 8, signed=True),
    number(b"B", "B", 8, signed=False),
    number(b"s", "h", 16, signed=True),
    number(b"u", "H", 16, signed=False),
    number(b"I", "i", 32, signed=True),
    number(b"i", "I", 32, signed=False),
    number(b"l", "q", 64, signed=True),
    number(b"T", "Q", 64, signed=False),
    floating(b"d", "d", 64),
    floating(b"f", "f", 32),
    st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1)).map(
        lambda pair: b"D" + struct.pack(">BI", *pair)
    ),
    st.sampled_from((b"t\0", b"t\1", b"t\7", b"V")),
)


def array(values: list[bytes]) -> bytes:
    return b"A" + long(b"".join(values))


def table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Encode a table; it may have the same name twice."""
    return long(b"".join(short(name[:255]) + value for name, value in entries))


def nested(depth: int) -> bytes:
    """Encode arrays and tables that are nested in each other, so many levels deep."""
    value = b"t\1"
    for level in range(depth):
        value = array([value]) if level % 2 else b"F" + table([(b"n", value)])
    return value


NAME = st.sampled_from(NAMES) | st.binary(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(array)
        | st.lists(st.tuples(NAME, inner), max_size=4).map(lambda each: b"F" + table(each))
    ),
    max_leaves=8,
)
LARGE = st.sampled_from(
    (
        *(nested(depth) for depth in (30, 400, 1100, 2500)),
        b"S" + long(b"x" * 90_000),
        array([b"t\1"] * 20_000),
        b"F" + table([(b"%d" % each, b"V") for each in range(5_000)]),
    )
)
TABLES = (
    st.lists(st.tuples(NAME, VALUES), max_size=5)
    | st.tuples(NAME, LARGE).map(lambda entry: [entry])
).map(table)
