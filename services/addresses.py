"""The check of mail addresses that all services and the REST API use."""

from typing import Any

from email_validator import EmailNotValidError, validate_email

from services.exceptions import InvalidRecipientError


def check_address(address: Any) -> str:
    """Return `address` in ASCII; raise InvalidRecipientError unless mail can be sent to it."""
    try:
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, TypeError, AttributeError, UnicodeError) as error:
        raise InvalidRecipientError(
            f"{str(address)[:80]!r} is no mail address: {error} Send a plain address as name@host."
        ) from error
    ascii_address = str(valid.ascii_email)
    if "=?" in ascii_address:  # mail programs would decode it
        raise InvalidRecipientError(
            f"{ascii_address[:80]!r} holds an encoded word: send a plain address as name@host."
        )
    return ascii_address
