"""The errors that the services answer with. Each message says what happened and what to do."""

from nameko.exceptions import deserialize_to_instance


class ServiceError(Exception):
    """Any error of these services that is about the request.

    Callers that can import this module get the class itself, others a `RemoteError` whose
    `exc_type` is its name.
    """

    def __init_subclass__(cls) -> None:
        deserialize_to_instance(cls)


class MessageTooLarge(ServiceError):
    """A message is larger than `MAX_MESSAGE_BYTES` or the broker's own limit."""


class RequestTooLarge(MessageTooLarge):
    """A request is larger than a service takes: it was not run."""


class ResultTooLarge(MessageTooLarge):
    """A result is larger than a reply may be: the method ran, its result is lost."""


class PublicationRefused(ServiceError):
    """The broker refuses this message for good: its rights, its properties."""


class RequestGivenUp(ServiceError):
    """A request has ended the process that ran it too often: it is not run again."""


class JobCancelled(ServiceError):
    """The job was cancelled: its request is not run, or not to its end."""


class NotNowError(ServiceError):
    """A request cannot be run now: in our container it goes back to the queue."""


class ResultNotKeptError(ServiceError):
    """A request that came again ran before, and its result was not kept."""


class ComputeError(ServiceError):
    """What was asked cannot be computed."""


class UnknownOperationError(ComputeError):
    """The operation is none of those that exist."""


class InvalidOperandError(ComputeError):
    """An operand is not a finite number."""


class InvalidPairsError(ComputeError):
    """The pairs of `map` are not a list of two operands each, or too many."""


class DivisionByZeroError(ComputeError):
    """The divisor is zero."""


class NumberOutOfRangeError(ComputeError):
    """An operand, a result or a limit is larger or smaller than can be given without error."""


class PoolError(ServiceError):
    """The process of a heavy operation ended before its result."""


class PoolWorkerDiedError(PoolError):
    """The process that ran the operation died, for example for want of memory."""


class PoolStoppedError(PoolError):
    """The service shuts down: the request goes back to the queue. No caller ever sees this."""


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
    """Another admin is at the dead letters at this moment."""


class ConfigurationError(ServiceError):
    """The configuration lacks something or contradicts itself."""
