"""What travels comes back as what it was; what cannot is refused, by name, before it is sent."""

import datetime
import math
import uuid
from decimal import Decimal

import pytest
from broker import Client, NotSendable, Request

from tests.broker.probe import echo, probe

pytestmark = pytest.mark.usefixtures("kept_service")

VALUES = [
    None,
    True,
    -3,
    2**70,
    1.5,
    "ñandú €  \x00",
    Decimal("1.10"),
    datetime.datetime(2026, 2, 28, 23, 59, 59, 999999),
    datetime.datetime(2026, 2, 28, tzinfo=datetime.timezone.utc),
    datetime.date(2026, 2, 28),
    datetime.time(12, 30),
    uuid.UUID(int=7),
    b"text",
    b"\xff\x00",
    {"lines": [{"price": Decimal("0.1"), "day": datetime.date(2026, 1, 1)}]},
    {"__type__": "only one of kombu's two keys"},
    "x" * 2_000_000,
    "\U0001f600 half of it: \\ud83d",
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_what_it_was(client: Client, value):
    result = client.call(echo(value))
    assert result == value
    assert type(result) is type(value)


def test_tuples_come_back_as_lists_and_keys_as_strings(client: Client):
    assert client.call(echo((1, 2))) == [1, 2]
    assert client.call(echo({1: "one"})) == {"1": "one"}


def test_keyword_arguments_travel(client: Client):
    assert client.call(probe("echo", other=1, value=2)) == 2


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (echo({1, 2}), "argument 1 cannot be put into JSON: Object of type set"),
        (probe("echo", 1, {"deep": [object()]}), "argument 2 .*type object"),
        (probe("echo", value=object()), "argument 'value' .*type object"),
        (echo({(1, 2): 3}), "argument 1 .*keys must be str"),
        (echo([{"__type__": "x", "__value__": 1}]), "argument 1 .*__type__ and __value__"),
        (echo([math.nan]), "argument 1 .*no NaN and no Infinity"),
        (probe("echo", value=-math.inf), "argument 'value' .*no NaN and no Infinity"),
        (echo({"a": "\U0001f600\udc00"}), "argument 1 .*no form in UTF-8"),
        (Request("", "echo"), "need a name"),
        (Request("*", "echo"), "printable"),
        (Request("probe", "e#"), "printable"),
        (Request("\n", "echo"), "printable"),
        (Request("probe", "echo.more"), "without dots"),
        (Request("probe", "m" * 256), "too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_travel_is_refused_by_name(client: Client, request_: Request, words: str):
    with pytest.raises(NotSendable, match=words) as caught:
        client.call(request_)
    assert not caught.value.may_have_run


def test_what_contains_itself_is_refused(client: Client):
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(NotSendable, match=r"argument 1 .*contains itself"):
        client.call(echo(endless))


def test_a_context_value_that_no_header_can_hold_is_refused(client: Client):
    with pytest.raises(NotSendable, match="context value 'user_id' is of type object"):
        client.call(echo(1), context={"user_id": object()})
