"""Names that Nameko's protocol has on the broker, and what AMQP allows in them."""

from __future__ import annotations

EXCHANGE = "nameko-rpc"  # Nameko's, for requests and replies
MOST_KEY = 255  # bytes of a short string in AMQP, and so of a routing key or a name
SUFFIX = ".events"  # of the exchange of a service's events, the longest name that is made of its
MOST_SERVICE = MOST_KEY - len(SUFFIX)
WILDCARDS = "*#"  # in bindings


def is_service(name: str) -> bool:
    """Tell whether a service can have this name."""
    return bool(name) and _size(name) <= MOST_SERVICE


def are_names(service: str, method: str) -> bool:
    """Tell whether there can be a method of this name in a service of that name."""
    fits = _size(f"{service}.{method}") <= MOST_KEY
    return is_service(service) and fits and _is_word(service) and _is_word(method, ".")


def short(text: str) -> str:
    """Return as much of a text as AMQP takes in a property or a name."""
    return text.encode(errors="replace")[:MOST_KEY].decode(errors="ignore")


def _is_word(name: str, *others: str) -> bool:
    """Tell whether a name can be read, and has none of AMQP's wildcards nor of the `others`."""
    return name.isprintable() and bool(name.strip()) and not {*WILDCARDS, *others} & {*name}


def _size(text: str) -> int:
    """Return the size in UTF-8, in bytes; of what UTF-8 cannot hold, more than fits."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MOST_KEY + 1
