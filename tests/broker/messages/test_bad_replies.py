"""A bad reply hurts the call that it answers, at once, and no other; a stranger's hurts nobody."""

import time
from collections.abc import Iterator
from functools import partial

import pytest
from broker import BadReply, Client, RemoteError, Request, RpcError
from broker.amqp.deadline import Deadline
from broker.amqp.transport import DeadlineTransport

from tests.broker.probe import echo
from tests.broker.rogue import Answer, Answering, answer, running_rogue
from tests.wire.raw import short
from tests.wire.tables import nested, table

pytestmark = pytest.mark.usefixtures("kept_service", "rogue")
GOOD = b'{"result": 1, "error": null}'
MOST_BYTES = 100_000


def result(value: bytes) -> bytes:
    return b'{"result": ' + value + b', "error": null}'


def error(value: bytes) -> bytes:
    return b'{"result": null, "error": ' + value + b"}"


def marked(kind: bytes, value: bytes) -> bytes:
    return result(b'{"__type__": "' + kind + b'", "__value__": ' + value + b"}")


BAD_BODIES: dict[str, tuple[type[RpcError], bytes]] = {
    "nothing": (BadReply, b""),
    "half": (BadReply, b"{"),
    "not_utf8": (BadReply, b"\xff\xfe"),
    "a_list": (BadReply, b"[]"),
    "no_error": (BadReply, b'{"result": 1}'),
    "no_result": (BadReply, b'{"error": null}'),
    "error_is_a_number": (BadReply, error(b"7")),
    "error_is_a_list": (BadReply, error(b'["x"]')),
    "error_is_empty": (RemoteError, error(b"{}")),
    "odd_error": (RemoteError, error(b'{"exc_type": 5, "exc_path": [], "value": {"a": 1}}')),
    "arguments_are_a_number": (RemoteError, error(b'{"exc_type": "E", "exc_args": 7}')),
    "arguments_are_true": (RemoteError, error(b'{"exc_type": "E", "exc_args": true}')),
    "odd_text": (RemoteError, error(b'{"exc_type": "\\u0000", "value": "\\ud800"}')),
    "never": (BadReply, marked(b"datetime", b'"never"')),
    "no_date": (BadReply, marked(b"date", b"[]")),
    "no_decimal": (BadReply, marked(b"decimal", b'"x"')),
    "no_decimal_list": (BadReply, marked(b"decimal", b"[1]")),
    "no_uuid": (BadReply, marked(b"uuid", b"{}")),
    "no_bytes": (BadReply, marked(b"base64", b"null")),
    "unknown_type": (BadReply, marked(b"surprise", b"1")),
    "type_is_a_list": (BadReply, result(b'{"__type__": [], "__value__": 1}')),
    "digits": (BadReply, result(b"9" * 5_000)),
    "deep": (BadReply, result(b"[" * 960 + b"]" * 960)),
    "deeper_than_python": (BadReply, result(b"[" * 40_000 + b"]" * 40_000)),
    "deep_error": (BadReply, error(b'{"value": ' + b"[" * 900 + b"]" * 900 + b"}")),
    "too_large": (BadReply, result(b'"' + b"x" * MOST_BYTES + b'"')),
}
OTHER_TYPES = {"pickle": b"application/x-python-serialize", "type_not_utf8": b"\xff"}
STRANGERS: dict[str, Answer] = {
    "no_properties": ({}, GOOD),
    "unknown_id": answer(b"somebody's", GOOD),
    "nul_in_id": answer(b"\0", GOOD),
    "id_not_utf8": answer(b"\xff\xfe", GOOD),
    "id_with_surrogate": answer(b"\xed\xa0\x80", GOOD),
    "large": answer(b"somebody's", b"x" * 20_000_000),
    "table_not_utf8": answer(b"x", GOOD, headers=table([(b"\xff", b"S\0\0\0\1\xff")])),
    "deep_table": answer(b"x", GOOD, headers=table([(b"x", nested(1_000))])),
}


def bad(body: bytes, kind: bytes, correlation_id: bytes) -> list[Answer]:
    return [answer(correlation_id, body, content_type=short(kind))]


def after(stranger: Answer, correlation_id: bytes) -> list[Answer]:
    return [stranger, answer(correlation_id, GOOD)]


METHODS: dict[str, Answering] = {
    **{name: partial(bad, body, b"application/json") for name, (_, body) in BAD_BODIES.items()},
    **{name: partial(bad, GOOD, kind) for name, kind in OTHER_TYPES.items()},
    **{name: partial(after, stranger) for name, stranger in STRANGERS.items()},
    "twice": lambda correlation_id: [answer(correlation_id, GOOD)] * 2,
    "broken_table": lambda correlation_id: [
        answer(correlation_id, GOOD, headers=table([(b"\xff", b"S\0\0\0\1\xff")]))
    ],
}
BAD = [(name, kind) for name, (kind, _) in BAD_BODIES.items()]
BAD += [(name, BadReply) for name in OTHER_TYPES]


@pytest.fixture(scope="module")
def rogue(vhost) -> Iterator[None]:
    with running_rogue(vhost, METHODS):
        yield


@pytest.fixture
def client(make_client) -> Client:
    return make_client(max_message_bytes=MOST_BYTES, timeout=60)


def connections(client: Client) -> list[int]:
    """Tell the connections of the client apart."""
    return [id(proxy.wire) for proxy in client._pool._all]


@pytest.mark.parametrize(("method", "kind"), BAD)
def test_a_bad_reply_is_the_error_of_its_call(client: Client, method: str, kind: type[RpcError]):
    client.call(echo(0))
    before = connections(client)
    with pytest.raises(kind) as caught:
        client.call(Request("rogue", method))
    assert type(caught.value) is kind  # and no timeout
    assert caught.value.may_have_run
    assert (caught.value.service, caught.value.method) == ("rogue", method)
    assert client.call(echo(method)) == method
    assert connections(client) == before


def test_among_many_each_bad_reply_is_the_error_of_its_call(client: Client):
    requests = [each for method, _ in BAD for each in (Request("rogue", method), echo(method))]
    outcomes = client.call_many(requests)
    kinds = [type(outcome.error) for outcome in outcomes[::2]]
    assert dict(zip([method for method, _ in BAD], kinds, strict=True)) == dict(BAD)
    assert [outcome.get() for outcome in outcomes[1::2]] == [method for method, _ in BAD]


@pytest.mark.parametrize("method", [*STRANGERS, "twice", "broken_table"])
def test_what_answers_nobody_is_dropped(client: Client, method: str):
    client.call(echo(0))
    before = connections(client)
    assert client.call(Request("rogue", method)) == 1
    assert client.call(echo(method)) == method
    outcomes = client.call_many([Request("rogue", method), echo(method)])
    assert [outcome.get() for outcome in outcomes] == [1, method]
    assert connections(client) == before


def test_a_reply_that_is_too_large_says_how_large_it_is(client: Client):
    with pytest.raises(BadReply, match=r"has 100,0\d\d bytes, more than may be read"):
        client.call(Request("rogue", "too_large"))


def test_messages_without_end_hold_up_no_connection(client: Client, monkeypatch):
    """A kept connection is looked at before it is used, but not for longer than that may take."""
    client.call(echo(0))
    (proxy,) = client._pool._all
    deadline = Deadline(0.1)

    def poll(_transport: DeadlineTransport) -> bool:
        assert time.monotonic() < deadline.at + 60
        return True

    with monkeypatch.context() as patched:
        patched.setattr(DeadlineTransport, "poll", poll)
        assert proxy.wire.works(deadline, ask_broker=False)
    assert client.call(echo(1)) == 1
