"""What our reader of frames takes the place of in py-amqp: a new version must be looked at."""

import inspect
import random
import zlib
from struct import pack
from types import SimpleNamespace

import amqp
import eventlet
import pytest
from amqp import spec
from amqp.abstract_channel import AbstractChannel
from amqp.exceptions import UnexpectedFrame
from amqp.method_framing import frame_handler
from amqp.transport import TCPTransport
from eventlet.green import socket

from services.messaging.py_amqp import TESTED_VERSION, ReadAhead
from services.messaging.reading import (
    BODY,
    HEADER,
    METHOD,
    FrameReader,
    legible_properties,
    unpacked,
)

DELIVER = (
    pack(">HH", *spec.Basic.Deliver) + b"\x01c" + pack(">Q", 1) + b"\x00" + b"\x01e" + b"\x01k"
)


class Connection:
    """What a reader needs of a connection."""

    bytes_recv = 0


def read(reader_cls, frames, *options):
    """Return what a reader makes of frames."""
    found = []

    def callback(channel, method, arguments, content):
        found.append((channel, method, arguments, content and (content.properties, content.body)))

    connection = Connection()
    reader = reader_cls(connection, callback, *options)
    ends = [reader(frame) for frame in frames]
    return found, ends, connection.bytes_recv


def frames_of(body, chunks=1, **properties):
    message = amqp.Message(body, **properties)
    header = pack(">HHQ", 60, 0, len(body)) + message._serialize_properties()
    size = -(-len(body) // chunks) or 1
    bodies = [body[start : start + size] for start in range(0, len(body), size)]
    return [(METHOD, 1, DELIVER), (HEADER, 1, header), *((BODY, 1, data) for data in bodies)]


def test_a_connection_has_the_parts_that_are_replaced():
    assert "self._write = self.sock.sendall" in inspect.getsource(TCPTransport._setup_transport)
    assert "self._quick_recv = self.sock.recv" in inspect.getsource(TCPTransport._setup_transport)
    assert "self._callbacks = {}" in inspect.getsource(AbstractChannel.__init__)
    assert "self.is_closing = False" in inspect.getsource(AbstractChannel.__init__)


def test_the_version_of_py_amqp_is_the_one_that_was_tested():
    assert amqp.__version__.startswith(TESTED_VERSION)
    assert list(inspect.signature(frame_handler).parameters)[:2] == ["connection", "callback"]
    assert "frame_handler" in inspect.signature(amqp.Connection.__init__).parameters
    assert [name for name, _ in amqp.Message.PROPERTIES] == [
        *("content_type", "content_encoding", "application_headers", "delivery_mode", "priority"),
        *("correlation_id", "reply_to", "expiration", "message_id", "timestamp", "type"),
        *("user_id", "app_id", "cluster_id"),
    ]


@pytest.mark.parametrize(
    "frames",
    [
        frames_of(b"body", content_type="application/json", correlation_id="é"),
        frames_of(b"x" * 100, 7, application_headers={"a": [1, {"b": None}]}, priority=3),
        frames_of(b""),
        [(METHOD, 1, pack(">HH", *spec.Basic.Ack) + pack(">QB", 1, 0)), (8, 0, b"")],
    ],
    ids=["whole", "in pieces", "empty", "without content"],
)
def test_it_reads_what_py_amqp_reads(frames):
    assert read(FrameReader, frames, 1000) == read(frame_handler, frames)


def test_frames_out_of_order_are_refused():
    for frames in ([(BODY, 1, b"x")], frames_of(b"x")[:1] * 2):
        with pytest.raises(UnexpectedFrame):
            read(FrameReader, frames, 1000)


def test_what_can_be_read_of_a_broken_header_is_read():
    message = amqp.Message("", content_type="x", correlation_id=b"\xff", reply_to="me", timestamp=5)
    header = pack(">HHQ", 60, 0, 0) + message._serialize_properties()
    properties, flaw = legible_properties(header, 12)
    assert properties == {"content_type": "x", "reply_to": "me", "timestamp": 5}
    assert flaw == "its correlation_id cannot be read"


def test_the_body_of_a_message_that_is_too_large_is_not_kept():
    found, *_ = read(FrameReader, frames_of(b"x" * 2000, 4), 1000)
    assert found[0][3][1] == ""


@pytest.mark.parametrize("compression", ["nothing known", ["list"], 5, "gzip"])
def test_what_cannot_be_unpacked_is_an_error(compression):
    with pytest.raises(Exception, match=r"compressions|header|Error"):
        unpacked(b"no such thing", compression, 1000)


def test_a_small_body_that_would_become_a_large_one_is_refused():
    """A megabyte is free; beyond it, a hundred times as much as was sent."""
    text = b"0123456789" * 90_000
    assert unpacked(zlib.compress(text), "gzip", 10**8) == text
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        unpacked(zlib.compress(b"{}," * 5_000_000)[:5_000], "gzip", 10**8)
    mixed = random.Random(1).randbytes(100_000)  # noqa: S311  no secret
    assert unpacked(zlib.compress(mixed + b"x" * 5_000_000), "gzip", 10**8).startswith(mixed)


@pytest.fixture
def read_ahead():
    """A ReadAhead, its socket, and the other end."""
    here, there = socket.socketpair()
    transport = SimpleNamespace(sock=here, _quick_recv=here.recv)
    with here, there:
        yield ReadAhead(SimpleNamespace(transport=transport)), here, there


def test_a_wait_for_messages_can_be_ended(read_ahead):
    reads, here, _there = read_ahead
    here.settimeout(120)
    waiting = eventlet.spawn(reads.receive, 7)
    eventlet.sleep(0)
    reads.interrupt()
    with pytest.raises(TimeoutError, match="interrupted"):
        waiting.wait()


def test_a_wait_for_an_answer_goes_on(read_ahead):
    reads, here, there = read_ahead
    here.settimeout(None)
    waiting = eventlet.spawn(reads.receive, 7)
    eventlet.sleep(0)
    reads.interrupt()
    eventlet.sleep(0)
    there.send(b"more than seven bytes")
    assert waiting.wait() == b"more than seven bytes"
    reads.interrupt()  # nobody waits
    eventlet.sleep(0)
