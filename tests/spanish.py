"""Switches a user of Odoo to another language, such as Spanish."""

from collections.abc import Iterator
from contextlib import contextmanager

from stack.web import WebClient


@contextmanager
def speak(admin: WebClient, language: str) -> Iterator[None]:
    """Install a language with our translations; set it for this user during the block."""
    values = {"lang_ids": [(6, 0, _language_ids(admin, language))], "overwrite": True}
    wizard = admin.call("base.language.install", "create", [values])
    admin.call("base.language.install", "lang_install", wizard)
    user_ids = [admin.user_id]
    admin.call("res.users", "write", user_ids, {"lang": language})
    yield
    admin.call("res.users", "write", user_ids, {"lang": "en_US"})


def _language_ids(admin: WebClient, language: str) -> list[int]:
    domain = [("code", "=", language)]
    found = admin.call("res.lang", "search", domain, context={"active_test": False})
    return list(found)
