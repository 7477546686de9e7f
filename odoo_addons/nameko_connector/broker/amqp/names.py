"""The names that Nameko uses on the broker, and AMQP's limits for them."""

from __future__ import annotations

EXCHANGE = "nameko-rpc"  # of Nameko, for requests and replies
MOST_KEY = 255  # bytes of an AMQP short string, such as a routing key or a name
SUFFIX = ".events"  # `<service>.events`, the longest name that contains a service's
MOST_SERVICE = MOST_KEY - len(SUFFIX)
WILDCARDS = "*#"  # in bindings


def is_service(name: str) -> bool:
    """Return whether a service can have this name."""
    return bool(name) and _size(name) <= MOST_SERVICE


def are_names(service: str, method: str) -> bool:
    """Return whether a service and a method of it can have these names."""
    fits = _size(f"{service}.{method}") <= MOST_KEY
    return is_service(service) and fits and _is_word(service) and _is_word(method, ".")


def short(text: str) -> str:
    """Return the text, cut to what AMQP allows in a property or a name."""
    return text.encode(errors="replace")[:MOST_KEY].decode(errors="ignore")


def _is_word(name: str, *others: str) -> bool:
    """Return whether a name is printable, and has no AMQP wildcard and none of the `others`."""
    return name.isprintable() and bool(name.strip()) and not {*WILDCARDS, *others} & {*name}


def _size(text: str) -> int:
    """Return the bytes in UTF-8; for a text that has no UTF-8 form, more than is allowed."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MOST_KEY + 1
