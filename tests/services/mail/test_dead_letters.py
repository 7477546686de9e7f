"""What a dead letter holds is shown, whatever it is; reading one holds up nobody."""

import pytest

from services.mail.dead_letters import read_letter
from services.messaging.reading import MOST_VALUES


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[" + b"[]," * (MOST_VALUES + 1) + b"1]", "too many values"),
    ],
)
def test_what_is_no_mail_has_no_recipient_and_says_why(body: bytes, error: str):
    mail = read_letter(body)
    assert mail.to == ""
    assert error in mail.error
    assert len(mail.contents) < 100_000
