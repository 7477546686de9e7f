"""Who may use the REST API, and how often."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from flask import request
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import Unauthorized

from services.exceptions import ConfigurationError

HEADER = "X-API-Key"
PROTECTED = ("compute",)  # Flask endpoints


def read_keys(config: dict[str, Any]) -> list[str]:
    """Return the API keys of API_KEYS_FILE (one a line) and API_KEYS (separated by commas).

    Without any, raises `ConfigurationError` unless API_OPEN is true.
    """
    text = str(config.get("API_KEYS") or "").replace(",", "\n")
    if path := config.get("API_KEYS_FILE"):
        text += "\n" + Path(path).read_text()
    keys = [key.strip() for key in text.splitlines() if key.strip()]
    if not keys and config.get("API_OPEN") is not True:
        raise ConfigurationError(
            "The REST API has no keys: set API_KEYS or API_KEYS_FILE, or API_OPEN=true to let"
            " everybody compute and send mail."
        )
    return keys


def check_key(keys: list[str]) -> None:
    """Raise `Unauthorized` unless the request has one of `keys`, or needs none."""
    if request.endpoint not in PROTECTED:
        return
    given = request.headers.get(HEADER, "").encode()
    matches = [hmac.compare_digest(given, key.encode()) for key in keys]
    if keys and not any(matches):
        raise Unauthorized(f"Send an API key in the header {HEADER}.")


def who(keys: list[str]) -> str:
    """Return the client's name for the rate limit: a digest of its key, or its address.

    Flask-Limiter logs it when the limit is reached, so it must not be the key itself.
    """
    if not keys:
        return get_remote_address()
    key = request.headers.get(HEADER, "").encode()
    return "key " + hashlib.sha256(key).hexdigest()[:12]
