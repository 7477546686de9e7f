"""One request on a wire, from sending it to its result or the error that says why there is none."""

from __future__ import annotations

from typing import Any

from . import encoding, errors
from .deadline import Deadline
from .request import Request
from .wire import LOST, Pending, QueueState, Wire

FIRST_LOOK = (
    0.05  # s without a reply, after which it is worth asking whether anybody takes requests
)


class NotSent(Exception):
    """The connection broke before the request was out: it can be sent again over another one."""


class Call:
    """A request and what is known of it.

    While no reply comes, the queue of the service is looked at twice: soon after sending, and once
    more after the request has expired in the broker, a margin before the deadline.
    """

    def __init__(self, wire: Wire, request: Request, message: encoding.Encoded) -> None:
        self._wire = wire
        self._request = request
        self._message = message
        self._looks: list[QueueState] = []
        self._unanswered_look = False
        self._withdrawn = False

    def send(self, deadline: Deadline) -> Pending:
        """Raises NotSent, or CallTimeout if the deadline passed while sending."""
        try:
            self._margin = min(0.25, 0.1 * deadline.remaining())
            expire = deadline.remaining() - 2 * self._margin
            self.pending = self._wire.publish(self._message, deadline, expire)
        except TimeoutError:
            raise self._error_of_sending(deadline) from None
        except LOST as error:
            raise NotSent from error
        return self.pending

    def result(self, deadline: Deadline) -> Any:
        """Wait for the reply. After RemoteError, WrongArguments, UnknownMethod and UnknownService
        the wire can be used again; after all others it must be discarded.
        """
        try:
            self._wait(deadline)
        except TimeoutError:
            raise self.timed_out(deadline) from None
        except LOST:
            raise self.lost() from None
        return self.settle()

    def settle(self) -> Any:
        """The result of a settled request, or raises its error."""
        if self.pending.returned:
            text = f"There is no service {self._request.service}: it has never run on this broker."
            raise errors.UnknownService(text, **self._names)
        if self.pending.refused:
            text = f"The broker refused the request {self._request}: its queue is full."
            raise errors.RequestRefused(text, **self._names)
        return encoding.decode(self.pending.reply, self._request)

    def lost(self) -> errors.UncertainOutcome:
        text = (
            f"The connection to the broker was lost after {self._request} was sent. "
            "It is not known whether it was executed: check before you repeat it."
        )
        return errors.UncertainOutcome(text, **self._names)

    def timed_out(self, deadline: Deadline) -> errors.CallTimeout:
        text, may_have_run = self._why_no_reply()
        return errors.CallTimeout(
            f"{self._request} gave no answer within {deadline.seconds:g} s: {text}",
            seconds=deadline.seconds,
            may_have_run=may_have_run,
            **self._names,
        )

    @property
    def _names(self) -> dict[str, Any]:
        return {"service": self._request.service, "method": self._request.method}

    def _wait(self, deadline: Deadline) -> None:
        first = min(FIRST_LOOK, deadline.remaining() / 4)
        for look_at in (deadline.within(first), deadline.earlier_by(self._margin)):
            if self._settled_by(look_at):
                return
            self._look(deadline)
        self._wire.wait(self.pending, deadline)

    def _settled_by(self, moment: Deadline) -> bool:
        try:
            self._wire.wait(self.pending, moment)
        except TimeoutError:
            return False
        return True

    def _look(self, deadline: Deadline) -> None:
        expired = self.pending.expired()
        self._unanswered_look = True
        self._looks.append(self._wire.look(self._request.service, deadline))
        self._unanswered_look = False
        self._withdrawn = expired and not any(look.consumers for look in self._looks)

    def _why_no_reply(self) -> tuple[str, bool]:
        """In words, and whether the request may have run."""
        service = self._request.service
        if self._wire.blocked:
            return "the broker takes no messages at present (short of memory or disk).", True
        if self._unanswered_look or not self._looks or not self.pending.confirmed:
            return "the broker does not respond. The request may still be executed.", True
        if self._withdrawn:
            text = f"no instance of the service {service} is running. The request was withdrawn."
            return text, False
        if not self._looks[-1].consumers:
            text = (
                f"no instance of the service {service} is running now. It may have been executed."
            )
            return text, True
        count = self._looks[-1].consumers
        running = "1 instance is" if count == 1 else f"{count} instances are"
        text = f"{running} running, but slow, busy or stuck. It may still be executed."
        return text, True

    def _error_of_sending(self, deadline: Deadline) -> errors.CallTimeout:
        reason = "takes no messages at present" if self._wire.blocked else "does not respond"
        text = f"{self._request} was not sent within {deadline.seconds:g} s: the broker {reason}."
        return errors.CallTimeout(text, seconds=deadline.seconds, may_have_run=False, **self._names)
