"""What can keep a call from giving its result. Each error is an `RpcError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RpcError(Exception):
    """A call gave no result. `str(error)` is plain English for the user and holds no secrets.

    service, method: what was called, "" where no call was involved.
    may_have_run: False where the service certainly has not executed the request and never will
        (calling again is safe); True where it has, may have, or still may.
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
    """The request cannot be put into a message; the text names the argument."""


class MessageTooLarge(NotSendable):
    """The request is larger than may be sent: `size` and `most` are bytes of its body.

    by_broker: whether `most` is the broker's own limit, which is lower than the configured one.
    """

    def __init__(
        self, message: str, *, size: int = 0, most: int = 0, by_broker: bool = False, **names: str
    ) -> None:
        super().__init__(message, service=names.get("service", ""), method=names.get("method", ""))
        self.size, self.most, self.by_broker = size, most, by_broker


class BrokerUnreachable(RpcError):
    """No connection to the broker could be had; the request was not sent."""


class HostUnknown(BrokerUnreachable):
    """The name of the broker's host has no address."""


class NothingListens(BrokerUnreachable):
    """The host takes no connections on that port."""


class NoAnswer(BrokerUnreachable):
    """Host or port answer nothing in time: a firewall, a wrong address, or a frozen broker."""


class HandshakeFailed(BrokerUnreachable):
    """Something listens there, but does not talk AMQP, or hung up."""


class TlsFailed(BrokerUnreachable):
    """TLS could not be agreed upon."""


class CertificateNotTrusted(TlsFailed):
    """The broker's certificate is not signed by a known authority, for another host, or old."""


class AccessRefused(BrokerUnreachable):
    """The broker refused the user, the password, the virtual host, or a right on it."""


class LoginRefused(AccessRefused):
    """User and password do not fit."""


class VirtualHostRefused(AccessRefused):
    """The user may not use the virtual host."""


class VirtualHostMissing(AccessRefused):
    """The broker has no such virtual host."""


class PermissionRefused(AccessRefused):
    """The user lacks a right within the virtual host; the text names what it was wanted for."""


class RequestRefused(RpcError):
    """The broker took the connection but not the request, for example because a queue is full."""


class UnknownService(RpcError):
    """No queue takes requests for this service: it never ran on this broker, or lost its queue."""


class UnknownMethod(RpcError):
    """The service runs, but has no such method."""


class WrongArguments(RpcError):
    """The method does not take these arguments."""


class RemoteError(RpcError):
    """The method raised an exception. `error` is what the reply says of it.

    exc_type: name of the remote class, such as "ValueError"; exc_path: the same with its module;
    remote_message: the remote `str(exception)`; exc_args: its arguments, as JSON carried them;
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
    """Return the arguments of a reply's `error`; none where they are no list."""
    arguments = error.get("exc_args")
    return tuple(arguments) if isinstance(arguments, list | tuple) else ()


class BadReply(RpcError):
    """The service answered with something that is no reply of Nameko's in JSON."""

    may_have_run = True


class CallTimeout(RpcError):
    """No reply within `seconds`.

    `may_have_run` is False where no instance of the service was there, neither when the request was
    sent nor when it expired in the broker, and where nothing was sent at all.
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
