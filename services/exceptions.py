"""The errors that the services answer with. Each message says what happened and what to do."""

from nameko.exceptions import deserialize_to_instance


class ServiceError(Exception):
    """The base class of the errors with which these services answer a request.

    Nameko clients that can import this module raise the class itself, others a `RemoteError` whose
    `exc_type` is the name of the class.
    """

    def __init_subclass__(cls) -> None:
        deserialize_to_instance(cls)


class MessageTooLarge(ServiceError):
    """A message is larger than `MAX_MESSAGE_BYTES` or the broker's own limit."""


class RequestTooLarge(MessageTooLarge):
    """A request is larger than a service accepts; it was not run."""


class ResultTooLarge(MessageTooLarge):
    """A result is larger than a reply may be; the method ran, but its result is lost."""


class PublicationRefused(ServiceError):
    """The broker will never accept this message, because of its properties or missing rights."""


class RequestGivenUp(ServiceError):
    """A request was redelivered too often without being finished; it is not run again."""


class JobCancelled(ServiceError):
    """The job was cancelled; its request is not run, or is stopped."""


class NotNowError(ServiceError):
    """A request cannot be run now; this project's container requeues it."""


class ResultNotKeptError(ServiceError):
    """A repeated request ran before, and its result could not be kept."""


class ComputeError(ServiceError):
    """The request cannot be computed."""


class UnknownOperationError(ComputeError):
    """The operation does not exist."""


class InvalidOperandError(ComputeError):
    """An operand is not a finite number."""


class InvalidPairsError(ComputeError):
    """The pairs of `map` are not a list of two operands each, or too many."""


class DivisionByZeroError(ComputeError):
    """The divisor is zero."""


class NumberOutOfRangeError(ComputeError):
    """An operand, a result or a limit is too large or too small."""


class PoolError(ServiceError):
    """The process of a heavy operation ended before its result."""


class PoolWorkerDiedError(PoolError):
    """The process that ran the operation died, for example for lack of memory."""


class PoolStoppedError(PoolError):
    """The service shuts down; its container requeues the request, so no caller sees this error."""


class MailError(ServiceError):
    """A mail cannot be accepted, found or moved."""


class InvalidRecipientError(MailError):
    """`to` is not one or more valid addresses."""


class InvalidSubjectError(MailError):
    """`subject` is not one line of text."""


class InvalidContentsError(MailError):
    """`contents` is not a text, or too long."""


class InvalidMailError(MailError):
    """A message in a queue of mails is no mail."""


class UnknownDeadLetterError(MailError):
    """No dead letter has this id."""


class DeadLettersBusyError(MailError):
    """Another admin works on the dead letters at this moment."""


class ConfigurationError(ServiceError):
    """The configuration lacks something or contradicts itself."""
