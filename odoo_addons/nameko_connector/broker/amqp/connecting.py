"""Resolve the broker's host name, and explain in plain English why connecting fails."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import amqp

from . import errors
from .config import BrokerConfig
from .deadline import Deadline

# The errors of a broken connection. TimeoutError is an OSError too: catch it first.
BROKER_LOST = (OSError, amqp.exceptions.AMQPError)
LOGIN = (0, 0)  # the AMQP method that RabbitMQ names when it refuses a login
# The first class of which the error is an instance counts.
UNREACHABLE: dict[type[Exception], type[errors.BrokerUnreachable]] = {
    TimeoutError: errors.NoAnswer,
    ConnectionRefusedError: errors.NothingListens,
    socket.gaierror: errors.HostUnknown,
    ssl.SSLCertVerificationError: errors.CertificateNotTrusted,
    ssl.SSLError: errors.TlsFailed,
    ConnectionError: errors.HandshakeFailed,
    OSError: errors.BrokerUnreachable,
    amqp.AMQPError: errors.HandshakeFailed,
}


def resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Call socket.getaddrinfo in a daemon thread, as it has no timeout; raise TimeoutError."""
    found: list[Any] = []
    failures: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError(f"no address for {host} in time")
    return found


@contextlib.contextmanager
def explained(config: BrokerConfig) -> Iterator[None]:
    """Convert errors of the connection to BrokerUnreachable, AccessRefused or a subclass."""
    try:
        yield
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        text = f"The broker at {config.address} refuses access: {error.reply_text}"
        raise _refused(error)(text) from None
    except BROKER_LOST as error:
        text = f"The broker at {config.address} cannot be reached: {reason(error)}"
        kind = next(kind for cause, kind in UNREACHABLE.items() if isinstance(error, cause))
        raise kind(text) from None


def _refused(error: amqp.AMQPError) -> type[errors.AccessRefused]:
    if isinstance(error, amqp.NotAllowed):
        missing = "not found" in error.reply_text
        return errors.VirtualHostMissing if missing else errors.VirtualHostRefused
    return errors.LoginRefused if error.method_sig == LOGIN else errors.PermissionRefused


def reason(error: Exception) -> str:
    """Return why a connection failed, as the end of a sentence."""
    if isinstance(error, TimeoutError):
        return "it does not answer."
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there. Is RabbitMQ running?"
    if isinstance(error, socket.gaierror):
        return "its host name is unknown."
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})."
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    return f"{error}."
