"""The errors that the services answer with. Each message says what happened and what to do."""

from nameko.exceptions import deserialize_to_instance


class ServiceError(Exception):
    """
    Any error of these services that is about the request.

    Callers that can import this module get the class itself, others a `RemoteError` whose
    `exc_type` is its name.
    """

    def __init_subclass__(cls) -> None:
        deserialize_to_instance(cls)


class ComputeError(ServiceError):
    """What was asked cannot be computed."""


class UnknownOperationError(ComputeError):
    """The operation is none of those that exist."""


class InvalidOperandError(ComputeError):
    """An operand is not a finite number."""


class InvalidPairsError(ComputeError):
    """The pairs of `map` are not a list of two operands each, or too many."""


class DivisionByZeroError(ComputeError):
    """The second operand of a division is zero."""


class NumberOutOfRangeError(ComputeError):
    """An operand, a result or a limit is larger or smaller than can be given without error."""


class PoolError(ServiceError):
    """A heavy operation came to no end."""


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


class UnknownDeadLetterError(MailError):
    """No dead letter has this id."""


class DeadLettersBusyError(MailError):
    """Another admin is at the dead letters at this moment."""


class ConfigurationError(ServiceError):
    """The configuration lacks something or contradicts itself."""
