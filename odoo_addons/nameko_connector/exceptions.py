"""The errors of calls and jobs, for users and for developers of addons.

Each is a `UserError`, so that the user reads what happened and what to do, instead of a traceback.
"""

from collections.abc import Callable
from typing import ClassVar

from odoo.api import Environment
from odoo.exceptions import UserError

from .broker.amqp import errors
from .tools.texts import clean


class NamekoError(UserError):
    """A call or a job has no result.

    `error` is the error of the client in `broker/`, or None if there is none, for example if the
    configuration is wrong. A `RemoteError` has the type and message of the service's exception.
    """

    # Odoo's web client picks the dialog by this: the same as for any other UserError.
    context: ClassVar[dict[str, str]] = {"exception_class": "odoo.exceptions.UserError"}
    _has_run = False  # may_have_run without `error`

    def __init__(self, message: str, error: errors.RpcError | None = None) -> None:
        super().__init__(clean(message))  # it may be stored in a field, and may quote a reply
        self.error = error

    @property
    def may_have_run(self) -> bool:
        """Whether the service has run, may have, or still may; if not, calling again is safe."""
        return self._has_run if self.error is None else self.error.may_have_run


class NotConfigured(NamekoError):
    """odoo.conf and the environment name no broker, or a setting is wrong."""


class NotSendable(NamekoError):
    """An argument cannot be encoded: nothing was sent."""


class MessageTooLarge(NotSendable):
    """The request is too large: nothing was sent."""


class BrokerUnreachable(NamekoError):
    """The broker cannot be reached, or refuses the login or the request."""


class UnknownService(NamekoError):
    """The service has no queue on this broker: the request was not delivered."""


class ServiceNotAllowed(NamekoError):
    """The settings do not allow calls of this service: nothing was sent."""


class UnknownMethod(NamekoError):
    """The service has no such method."""


class WrongArguments(NamekoError):
    """The method does not take these arguments."""


class RemoteError(NamekoError):
    """The method raised an exception; see `error.exc_type` and `error.remote_message`."""


class CallTimeout(NamekoError):
    """No answer came in time."""


class UncertainOutcome(NamekoError):
    """The connection broke, or the answer was unreadable, after the request was sent."""


class UnusableResult(NamekoError):
    """The answer does not fit the result field."""

    _has_run = True


class UnusableExpression(NamekoError):
    """An expression of a server action has no value that can be sent."""


class ResultNotWritten(NamekoError):
    """The service answered, but Odoo could not write the result: nothing was written."""

    _has_run = True


class AskedTooOften(NamekoError):
    """The job's callback wanted to ask the service again more often than it may."""

    _has_run = True


class InvalidCall(NamekoError):
    """A call has invalid arguments or options: a mistake in the calling code."""


class InvalidJob(InvalidCall):
    """A job has invalid options: a mistake in the calling code."""


class JobCancelled(NamekoError):
    """The job was cancelled; the service may have executed it."""

    _has_run = True


class PredecessorFailed(NamekoError):
    """A job that this one waited for has failed or was cancelled."""


class SendingRefused(NamekoError):
    """The database may not send anything until an administrator decides about it."""


class DatabaseNeutralized(SendingRefused):
    """The database is a neutralized copy, from which nothing may be sent."""


class DatabaseNotConfirmed(SendingRefused):
    """The database was moved or copied, and no administrator has said which."""


def user_error(error: errors.RpcError, env: Environment) -> NamekoError:
    """Return a client's error as a NamekoError in the user's language.

    :param env: of the user
    """
    for kind, (user_kind, message) in _MEANINGS.items():
        if isinstance(error, kind):
            return user_kind(message(error, env), error)
    return NamekoError(str(error), error)


def _not_sendable(error: errors.NotSendable, env: Environment) -> str:
    return env._(
        "Nothing was sent: %(reason)s Correct the value and try again.",
        reason=str(error),
    )


def _message_too_large(error: errors.MessageTooLarge, env: Environment) -> str:
    request = {
        "service": error.service,
        "method": error.method,
        "size": f"{error.size:,}",
        "most": f"{error.most:,}",
    }
    if error.by_broker:
        return env._(
            "The request for %(service)s.%(method)s has %(size)s bytes, and the message broker "
            "takes %(most)s at most. Send less at once, or a reference, such as the ID of an "
            "attachment, and have the service fetch the content. Ask your administrator to set "
            "NAMEKO_MAX_MESSAGE_BYTES to %(most)s, or to raise RabbitMQ's max_message_size.",
            **request,
        )
    return env._(
        "The request for %(service)s.%(method)s has %(size)s bytes, and %(most)s may be sent at "
        "most, so nothing was sent. Send less at once, or a reference, such as the ID of an "
        "attachment, and have the service fetch the content.",
        **request,
    )


def _access_refused(error: errors.AccessRefused, env: Environment) -> str:
    return env._(
        "The message broker refuses Odoo's login, so nothing was sent. Ask your administrator to "
        "check the broker's address and password in Odoo's configuration.",
    )


def _broker_unreachable(error: errors.BrokerUnreachable, env: Environment) -> str:
    return env._(
        "The message broker cannot be reached, so nothing was sent. Try again in a moment. If "
        "this goes on, ask your administrator whether RabbitMQ runs.",
    )


def _request_refused(error: errors.RequestRefused, env: Environment) -> str:
    return env._(
        "The message broker did not take the request for %(service)s.%(method)s. Try again "
        "later. If this goes on, ask your administrator to check RabbitMQ's queues.",
        service=error.service,
        method=error.method,
    )


def _unknown_service(error: errors.UnknownService, env: Environment) -> str:
    return env._(
        "The service “%(service)s” is not known to the message broker, so nothing was sent. "
        "Check its name, or ask your administrator to start it.",
        service=error.service,
    )


def _unknown_method(error: errors.UnknownMethod, env: Environment) -> str:
    return env._(
        "The service “%(service)s” has no method “%(method)s”. Check the name. If an addon calls "
        "it, ask your administrator whether the service has the version that the addon needs.",
        service=error.service,
        method=error.method,
    )


def _wrong_arguments(error: errors.WrongArguments, env: Environment) -> str:
    return env._(
        "%(service)s.%(method)s was called with arguments that it does not take. Check them. If an "
        "addon calls it, ask your administrator whether the service has the version that the addon "
        "needs.\n\n%(reason)s",
        service=error.service,
        method=error.method,
        reason=str(error),
    )


def _remote_error(error: errors.RemoteError, env: Environment) -> str:
    return env._(
        "%(service)s.%(method)s answered with an error: %(message)s",
        service=error.service,
        method=error.method,
        message=error.remote_message or error.exc_type,
    )


def _pool_exhausted(error: errors.PoolExhausted, env: Environment) -> str:
    return env._(
        "All of Odoo's connections to the message broker were in use for %(seconds)s seconds, so "
        "nothing was sent. Try again. If this goes on, ask your administrator to raise pool_size.",
        seconds=f"{error.seconds:g}",
    )


def _call_timeout(error: errors.CallTimeout, env: Environment) -> str:
    call = {"service": error.service, "method": error.method, "seconds": f"{error.seconds:g}"}
    if error.may_have_run:
        return env._(
            "%(service)s.%(method)s did not answer within %(seconds)s seconds. It may still be "
            "working, but its answer is ignored. Try again later. If this goes on, ask your "
            "administrator to check the service.",
            **call,
        )
    return env._(
        "%(service)s.%(method)s did not answer within %(seconds)s seconds: the service is "
        "stopped or busy, and the request has been withdrawn. Try again later. If this goes on, "
        "ask your administrator to check the service.",
        **call,
    )


def _uncertain_outcome(error: errors.RpcError, env: Environment) -> str:
    return env._(
        "The request was sent to %(service)s.%(method)s, but no usable answer came back: it may or "
        "may not have been executed. Check before you try again.",
        service=error.service,
        method=error.method,
    )


def _bad_reply(error: errors.RpcError, env: Environment) -> str:
    return env._(
        "The answer of %(service)s.%(method)s cannot be used, but the method may have run. Check "
        "before you try again. What was wrong: %(reason)s",
        service=error.service,
        method=error.method,
        reason=str(error),
    )


# The first class that fits counts: a subclass stands before its base.
_MEANINGS: dict[type[errors.RpcError], tuple[type[NamekoError], Callable[..., str]]] = {
    errors.MessageTooLarge: (MessageTooLarge, _message_too_large),
    errors.NotSendable: (NotSendable, _not_sendable),
    errors.AccessRefused: (BrokerUnreachable, _access_refused),
    errors.BrokerUnreachable: (BrokerUnreachable, _broker_unreachable),
    errors.RequestRefused: (BrokerUnreachable, _request_refused),
    errors.UnknownService: (UnknownService, _unknown_service),
    errors.UnknownMethod: (UnknownMethod, _unknown_method),
    errors.WrongArguments: (WrongArguments, _wrong_arguments),
    errors.RemoteError: (RemoteError, _remote_error),
    errors.PoolExhausted: (CallTimeout, _pool_exhausted),
    errors.CallTimeout: (CallTimeout, _call_timeout),
    errors.UncertainOutcome: (UncertainOutcome, _uncertain_outcome),
    errors.BadReply: (UncertainOutcome, _bad_reply),
}
