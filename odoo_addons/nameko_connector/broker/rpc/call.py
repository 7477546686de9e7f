"""One request over a connection, from sending it to its result or error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..amqp import encoding, errors
from ..amqp.connecting import BROKER_LOST
from ..amqp.deadline import Deadline
from ..amqp.request import Request
from .watch import Watch
from .wire import REFUSED, Wire

FIRST_LOOK = 0.05  # s without a reply, after which the consumers of the service's queue are checked
MARGIN = 0.25  # s at most, reserved before the deadline to find out why no reply came


class NotSent(Exception):
    """The connection broke before the request was sent: send it again over another one."""


class Call:
    """A request and its state.

    While no reply comes, the consumers of the service's queue are checked twice: soon after
    sending, and again shortly before the deadline, when the request has expired in the broker.
    """

    def __init__(self, wire: Wire, request: Request, watch: Watch | None = None) -> None:
        self.request = request
        self._wire = wire
        self._watch = watch or Watch(request.service)

    def send(
        self,
        message: encoding.Encoded,
        deadline: Deadline,
        notify: Callable[[], None] | None = None,
    ) -> None:
        """Publish it; call `notify` once it is settled. Raise NotSent, or CallTimeout."""
        self.deadline = deadline
        self.sent_at = time.monotonic()
        try:
            remaining = deadline.remaining()
            self._margin = min(MARGIN, 0.1 * remaining)
            expire = remaining - 2 * self._margin
            self.pending = self._wire.publish(message, deadline, expire, notify)
        except TimeoutError:
            raise self._sending_timed_out() from None
        except BROKER_LOST as error:
            raise NotSent(str(error)) from error

    def result(self) -> Any:
        """Wait for the reply and return its result; raise RpcError."""
        try:
            self._wait()
        except BROKER_LOST as error:
            self._wire.spoiled = True
            if not self.pending.settled:  # a reply counts, even if something else failed after it
                raise self._failure(error) from None
        return self.settle()

    def settle(self) -> Any:
        """Return the result of a settled request, or raise its error."""
        if self.pending.returned:
            text = (
                f"There is no service {self.request.service}: it has never run on this broker, or "
                "its queue is gone."
            )
            raise errors.UnknownService(text, **self._names)
        if self.pending.refused:
            text = f"The broker refused the request {self.request}: the service's queue is full."
            raise errors.RequestRefused(text, **self._names)
        return encoding.decode(self.pending.reply, self.request)

    def look(self) -> None:
        """Check the consumers of the service's queue; raise TimeoutError without an answer."""
        self._watch.look(self._wire, self.deadline)

    @property
    def look_at(self) -> Deadline:
        """When to check the queue for the last time."""
        return self.deadline.earlier_by(self._margin)

    def _failure(self, error: Exception) -> errors.RpcError:
        if isinstance(error, TimeoutError):
            return self.timed_out()
        if isinstance(error, REFUSED):
            text = f"The broker refused the request {self.request}: {error.reply_text}"
            return errors.RequestRefused(text, **self._names)
        return self.lost()

    def lost(self) -> errors.UncertainOutcome:
        text = (
            f"The connection to the broker was lost after {self.request} was sent. "
            "It is not known whether it was executed: check before you repeat it."
        )
        return errors.UncertainOutcome(text, **self._names)

    def timed_out(self) -> errors.CallTimeout:
        seconds = self.deadline.seconds
        return errors.CallTimeout(
            f"{self.request} gave no answer within {seconds:g} s: {self._why()}",
            seconds=seconds,
            may_have_run=not self._withdrawn,
            **self._names,
        )

    @property
    def _withdrawn(self) -> bool:
        """Whether the request expired in the broker without any instance to consume it."""
        return self._watch.deserted and self.pending.expired(self._watch.looked_at)

    @property
    def _names(self) -> dict[str, Any]:
        return {"service": self.request.service, "method": self.request.method}

    def _wait(self) -> None:
        first = min(FIRST_LOOK, self.deadline.remaining() / 4)
        for moment in (self.deadline.within(first), self.look_at):
            if self._settled_by(moment):
                return
            self.look()
        self._wire.wait(self.pending, self.deadline)

    def _settled_by(self, moment: Deadline) -> bool:
        try:
            self._wire.wait(self.pending, moment)
        except TimeoutError:
            return False
        return True

    def _why(self) -> str:
        service, instances = self.request.service, self._watch.instances
        if self._wire.blocked:
            return "the broker takes no messages at present (short of memory or disk)."
        if self._watch.unanswered_look or instances is None or not self.pending.confirmed:
            return "the broker does not respond. The request may still be executed."
        if self._withdrawn:
            return f"no instance of the service {service} is running. The request was withdrawn."
        if instances == 0:
            return (
                f"no instance of the service {service} is running now. It may have been executed."
            )
        running = "1 instance is" if instances == 1 else f"{instances} instances are"
        return f"{running} running, but slow, busy or stuck. It may still be executed."

    def _sending_timed_out(self) -> errors.CallTimeout:
        reason = "takes no messages at present" if self._wire.blocked else "does not respond"
        seconds = self.deadline.seconds
        text = f"{self.request} was not sent within {seconds:g} s: the broker {reason}."
        return errors.CallTimeout(text, seconds=seconds, may_have_run=False, **self._names)
