"""What `mail.send` accepts, and the message that it makes of it: yagmail's traps, one by one."""

import email
import email.policy
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exceptions import (
    InvalidContentsError,
    InvalidMailError,
    InvalidRecipientError,
    InvalidSubjectError,
)
from services.mail.dead_letters import kept_letter
from services.mail.message import MAX_ERROR, MAX_UNREADABLE, accept, read, to_mime, unreadable

ENCODED = ["=?utf-8?q?", "=?latin-1?b?", "?=", "=0D=0A", "DQpYOiB5", "X:_y", "=0D=0A=0D=0A", " "]
text = st.text(st.characters(codec="utf-8"), max_size=300)


def mime(contents="contents", subject="subject", to="name@example.com"):
    (mail,) = accept("request", to, subject, contents)
    raw = to_mime(mail, "sender@example.org").as_bytes()
    return email.message_from_bytes(raw, policy=email.policy.default)


@given(text)
def test_contents_are_always_this_very_text(contents):
    message = mime(contents)
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()
    expected = contents.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    received = message.get_content().replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert received == expected


@pytest.mark.parametrize(
    "contents", ["/etc/passwd", __file__, "<link rel=stylesheet href=http://127.0.0.1/x>", "."]
)
def test_a_file_name_or_markup_stays_a_text(contents):
    message = mime(contents)
    assert message.get_content().strip() == contents
    assert list(message.iter_attachments()) == []


def test_headers():
    message = mime(subject="Größe — 大きさ")
    assert message["Subject"] == "Größe — 大きさ"
    assert message["From"] == "sender@example.org"
    assert message["To"] == "name@example.com"
    assert message["Date"]
    assert message["Message-ID"].endswith("@example.org>")


def test_each_request_has_its_message_id_and_keeps_it():
    def message_id(request, *parts):
        (mail,) = accept(request, *parts)
        return to_mime(mail, "sender@example.org")["Message-ID"]

    parts = ("name@example.com", "subject", "contents")
    assert message_id("one", *parts) == message_id("one", *parts)
    ids = {message_id("one", *parts), message_id("two", *parts)}
    ids.add(message_id("one", "other@example.com", "subject", "contents"))
    ids.add(message_id("one", "name@example.com", "subject", "other"))
    assert len(ids) == 4


def test_several_recipients_get_a_mail_each():
    mails = accept("r", ["a@example.com", "b@example.com", "a@example.com"], "subject", "contents")
    assert [mail.to for mail in mails] == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("to", ["Name@EXAMPLE.com", "a.b+c@example.com", "x@bücher.example"])
def test_good_addresses(to):
    assert accept("r", to, "subject", "contents")[0].to.isascii()


@pytest.mark.parametrize(
    "to",
    [
        *(None, "", [], {}, 5, True, b"a@example.com", [None], "name", "@example.com", "a@"),
        *("a@example.com\nBcc: b@example.com", "a@example.com, b@example.com", "a@example.com\0"),
        "=?utf-8?q?a=0D=0AX?=@example.com",
        *("Name <a@example.com>", "ä@example.com", "a b@c.com", ["a@example.com", "bad"]),
        ["a@example.com"] * 101,
    ],
)
def test_bad_addresses(to):
    with pytest.raises(InvalidRecipientError):
        accept("r", to, "subject", "contents")


@pytest.mark.parametrize(
    "subject",
    [None, "", 5, [], "two\nlines", "two\rlines", "\0", "\x85", "\u2028", "\ud800", "x" * 251],
)
def test_bad_subjects(subject):
    with pytest.raises(InvalidSubjectError):
        accept("r", "name@example.com", subject, "contents")


@given(st.lists(st.sampled_from(ENCODED) | text, min_size=1, max_size=6).map("".join))
def test_a_subject_adds_no_headers(subject):
    """Whatever it encodes, and whatever it decodes to: refused, or a subject and nothing else."""
    try:
        message = mime(subject=subject)
    except InvalidSubjectError:
        return
    assert message.keys() == list(dict.fromkeys(message.keys()))
    assert message.get_content_type() == "text/plain"
    assert message.get_content().strip() == "contents"


@pytest.mark.parametrize("coding", ["q?a=0D=0AX:_y=0D=0A=0D=0A<b>b</b>", "b?YQ0KWDogeQ0KDQpi"])
def test_encoded_line_breaks_are_refused(coding):
    with pytest.raises(InvalidSubjectError, match=r"encoded line breaks|as a header"):
        mime(subject=f"=?utf-8?{coding}?=")


def test_what_is_read_from_a_queue_is_what_was_written():
    (mail,) = accept("r", "name@example.com", "subject", "contents")
    assert read(asdict(mail)) == mail


@pytest.mark.parametrize(
    "odd",
    [
        *({"x": 1}, [], None, 5, "text", {}, {"id": 5}, {"to": ""}, {"to": "nobody"}),
        *({"attempts": -1}, {"attempts": "1"}, {"attempts": True}, {"accepted": "now"}),
        *({"subject": "two\nlines"}, {"contents": []}, {"id": "x"}, {"more": 1}),
        {"error": [["nested"]]},
    ],
)
def test_what_is_no_mail_is_named(odd):
    (mail,) = accept("r", "name@example.com", "subject", "contents")
    body = asdict(mail) | odd if isinstance(odd, dict) and odd else odd
    with pytest.raises(InvalidMailError):
        read(body)
    assert not unreadable(body, "").to


@pytest.mark.parametrize("contents", [None, 5, b"bytes", ["/etc/passwd"], {}, "\ud800"])
def test_bad_contents(contents):
    with pytest.raises(InvalidContentsError):
        accept("r", "name@example.com", "subject", contents)


def test_too_long_contents():
    with pytest.raises(InvalidContentsError):
        accept("r", "name@example.com", "subject", "x" * 1_000_001)


HUGE = "\U0001f600" * 1_000_000


@pytest.mark.parametrize("odd", [{HUGE: 1}, {"attempts": HUGE}, {"accepted": HUGE}, {"id": HUGE}])
def test_what_is_no_mail_makes_no_long_error(odd):
    body = asdict(accept("request", "name@example.com", "subject", "contents")[0]) | odd
    with pytest.raises(InvalidMailError) as caught:
        read(body)
    assert len(str(caught.value)) <= MAX_ERROR
    letter = unreadable(body, HUGE)
    assert len(letter.contents) <= MAX_UNREADABLE
    assert len(letter.error) <= MAX_ERROR


def test_a_forged_dead_letter_is_listed_short():
    forged = {"to": "", **dict.fromkeys(("id", "subject", "contents", "accepted", "error"), HUGE)}
    letter = kept_letter(forged)
    assert len(letter.contents) <= MAX_UNREADABLE
    assert max(map(len, (letter.id, letter.subject, letter.accepted, letter.error))) <= MAX_ERROR
