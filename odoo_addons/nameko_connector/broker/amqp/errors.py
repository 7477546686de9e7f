"""The errors of calls of services. All of them are subclasses of `RpcError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RpcError(Exception):
    """A call has no result. `str(error)` is plain English for the user and contains no secrets.

    service, method: what was called; "" if there was no call.
    may_have_run: False if the service certainly has not executed the request and never will
        (calling again is safe); True if it has, may have, or still may.
    """

    may_have_run = False

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        method: str = "",
        may_have_run: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.method = method
        if may_have_run is not None:
            self.may_have_run = may_have_run


class NotSendable(RpcError):
    """The request cannot be encoded; the text names the argument at fault."""


class MessageTooLarge(NotSendable):
    """The body of the request is too large: it has `size` bytes, and `most` are allowed.

    by_broker: whether `most` is the broker's limit, which is lower than the configured one.
    """

    def __init__(
        self, message: str, *, size: int = 0, most: int = 0, by_broker: bool = False, **names: str
    ) -> None:
        super().__init__(message, service=names.get("service", ""), method=names.get("method", ""))
        self.size, self.most, self.by_broker = size, most, by_broker


class BrokerUnreachable(RpcError):
    """No connection to the broker could be opened; the request was not sent."""


class HostUnknown(BrokerUnreachable):
    """The name of the broker's host has no address."""


class NothingListens(BrokerUnreachable):
    """The host refuses connections on that port."""


class NoAnswer(BrokerUnreachable):
    """The broker did not answer in time: a firewall, a wrong address, or a frozen broker."""


class HandshakeFailed(BrokerUnreachable):
    """The peer does not speak AMQP, or closed the connection."""


class TlsFailed(BrokerUnreachable):
    """The TLS handshake failed."""


class CertificateNotTrusted(TlsFailed):
    """The broker's certificate is from an unknown authority, for another host, or expired."""


class AccessRefused(BrokerUnreachable):
    """The broker refused the login, the virtual host, or a permission on it."""


class LoginRefused(AccessRefused):
    """The user name or the password is wrong."""


class VirtualHostRefused(AccessRefused):
    """The user may not use the virtual host."""


class VirtualHostMissing(AccessRefused):
    """The broker has no such virtual host."""


class PermissionRefused(AccessRefused):
    """The user lacks a permission in the virtual host; the text says on which resource."""


class RequestRefused(RpcError):
    """The broker refused the request, for example because a queue is full."""


class UnknownService(RpcError):
    """The service has no queue: it never ran on this broker, or its queue was deleted."""


class UnknownMethod(RpcError):
    """The service runs, but has no such method."""


class WrongArguments(RpcError):
    """The method does not take these arguments."""


class RemoteError(RpcError):
    """The method raised an exception. `error` is its description in the reply.

    exc_type: name of the remote class, such as "ValueError"; exc_path: the same with its module;
    remote_message: the remote `str(exception)`; exc_args: its arguments, decoded from JSON;
    instance, traceback: which process raised it, and where, if the service says so.
    """

    may_have_run = True

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        method: str = "",
        error: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, service=service, method=method)
        error = error or {}
        self.exc_type = str(error.get("exc_type", ""))
        self.exc_path = str(error.get("exc_path", ""))
        self.remote_message = str(error.get("value", ""))
        self.exc_args = arguments_of(error)
        self.instance = str(error.get("instance", ""))
        self.traceback = str(error.get("traceback", ""))


def arguments_of(error: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the exception's arguments from a reply's `error`; () if they are not a list."""
    arguments = error.get("exc_args")
    return tuple(arguments) if isinstance(arguments, list | tuple) else ()


class BadReply(RpcError):
    """The service sent a reply that is not valid Nameko JSON, or is too large."""

    may_have_run = True


class CallTimeout(RpcError):
    """No reply within `seconds`.

    `may_have_run` is False if no instance of the service was running, neither when the request was
    sent nor when it expired in the broker, or if nothing was sent at all.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        method: str = "",
        seconds: float = 0.0,
        may_have_run: bool = True,
    ) -> None:
        super().__init__(message, service=service, method=method, may_have_run=may_have_run)
        self.seconds = seconds


class PoolExhausted(CallTimeout):
    """All connections of this process were in use until the deadline; the request was not sent."""


class UncertainOutcome(RpcError):
    """The connection was lost after the request was sent and before its reply came."""

    may_have_run = True
