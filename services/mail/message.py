"""Mails: the checks before one is accepted, and the MIME message that is sent."""

import json
import unicodedata
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from services.addresses import check_address
from services.exceptions import (
    InvalidContentsError,
    InvalidMailError,
    InvalidRecipientError,
    InvalidSubjectError,
    MailError,
)

MAX_RECIPIENTS = 100
MAX_SUBJECT = 250  # characters
MAX_CONTENTS = 1_000_000  # characters
MAX_ERROR = 1_000  # characters: an error may quote a received message
MAX_UNREADABLE = 10_000  # characters kept of a message that is no mail
CONTROL = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories that have no place in a header
MAX_ATTEMPTS = 1_000_000
NAMESPACE = uuid.UUID("6f4d7a0e-8f0b-5a52-9a53-6a3d3a0a9c11")


@dataclass
class Mail:
    """One mail to one recipient. Its id is the same whenever the same request is run again."""

    id: str
    to: str
    subject: str
    contents: str
    accepted: str  # ISO 8601, UTC
    attempts: int = 0
    error: str = ""


def accept(request: str, to: Any, subject: Any, contents: Any) -> list[Mail]:
    """Return one mail for each recipient, or raise a `MailError`; `request` is the request's id."""
    recipients = check_recipients(to)
    subject, contents = check_subject(subject), check_contents(contents)
    mails = [
        Mail(mail_id(request, recipient, subject, contents), recipient, subject, contents, _now())
        for recipient in recipients
    ]
    for mail in mails:
        to_mime(replace(mail, contents=""), mail.to)  # raises if a header cannot be written
    return mails


def read(body: Any) -> Mail:
    """Return the mail in the body of a message, or raise InvalidMailError."""
    try:
        mail = Mail(**body)
        uuid.UUID(mail.id)
        datetime.fromisoformat(mail.accepted)
        check_address(mail.to)
        check_subject(mail.subject)
        check_contents(mail.contents)
        check_contents(mail.error)
    except (TypeError, ValueError, AttributeError, MailError) as error:
        text = f"The message is no mail that can be sent: {error}"
        raise InvalidMailError(text[:MAX_ERROR]) from error
    if type(mail.attempts) is not int or not 0 <= mail.attempts <= MAX_ATTEMPTS:
        raise InvalidMailError("The message's attempts are no number, or too large a one.")
    return replace(mail, error=mail.error[:MAX_ERROR])


def unreadable(body: Any, error: str) -> Mail:
    """Return a dead letter for a message that is no mail: its body, and no recipient."""
    if isinstance(body, bytes):
        text = body.decode(errors="replace")
    else:
        try:
            text = json.dumps(body, default=str)
        except (ValueError, RecursionError):
            text = "(nested too deep)"
    kept, why = text[:MAX_UNREADABLE], error[:MAX_ERROR]
    return Mail(mail_id("unreadable", text), "", "", kept, _now(), error=why)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def mail_id(*parts: str) -> str:
    """Return a UUID that depends on `parts` alone."""
    return str(uuid.uuid5(NAMESPACE, "\0".join(parts)))


def check_recipients(to: Any) -> list[str]:
    """Return the addresses in `to`, an address or a list, in order and without duplicates."""
    addresses = [to] if isinstance(to, str) else to
    if not isinstance(addresses, (list, tuple)) or not 1 <= len(addresses) <= MAX_RECIPIENTS:
        raise InvalidRecipientError(
            f"The recipient is missing: send an address, or a list of 1 to {MAX_RECIPIENTS}."
        )
    return list(dict.fromkeys(check_address(address) for address in addresses))


def check_subject(subject: Any) -> str:
    """Return `subject`, or raise `InvalidSubjectError`."""
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise InvalidSubjectError(f"The subject is not a text of 1 to {MAX_SUBJECT} characters.")
    if any(unicodedata.category(character) in CONTROL for character in subject):
        raise InvalidSubjectError("The subject has line breaks or control characters: remove them.")
    return subject


def check_contents(contents: Any) -> str:
    """Return `contents`, a plain text, or raise `InvalidContentsError`."""
    if not isinstance(contents, str) or len(contents) > MAX_CONTENTS:
        raise InvalidContentsError(
            f"The contents are not a text of at most {MAX_CONTENTS} characters: send a string."
        )
    if any("\ud800" <= character <= "\udfff" for character in contents):
        raise InvalidContentsError("The contents have half characters (surrogates): remove them.")
    return contents


def to_mime(mail: Mail, sender: str) -> EmailMessage:
    """Return the MIME message. Its Message-ID has the mail's id, so it is the same in every try."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromisoformat(mail.accepted))
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    check_headers(message)
    message.set_content(mail.contents)
    return message


def check_headers(message: EmailMessage) -> None:
    """Raise InvalidSubjectError unless the written message has exactly the headers that were set.

    An encoded word in a subject may contain line breaks, which some versions of Python decode when
    they write it. With the text after them, a caller could inject headers and contents.
    """
    try:
        written = BytesHeaderParser().parsebytes(message.as_bytes())
    except (MessageError, UnicodeError) as error:
        raise InvalidSubjectError(f"The subject cannot be written as a header: {error}") from error
    if written.keys() != message.keys():
        raise InvalidSubjectError("The subject holds encoded line breaks: remove them.")
