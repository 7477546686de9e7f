"""Send many requests over one connection, with a limited number of them open at a time."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..amqp import encoding, errors
from ..amqp.connecting import BROKER_LOST, reason
from ..amqp.deadline import Deadline
from ..amqp.request import Outcome, Request
from .call import Call, NotSent
from .watch import Watch
from .window import Window
from .wire import Wire

if TYPE_CHECKING:
    from .pool import Pool

MOST_LOST_IN_A_ROW = 2  # connections lost in a row without a reply, then the rest is not sent


class Batch:
    """One run of `Client.call_many`."""

    def __init__(
        self,
        requests: Sequence[Request],
        context: Mapping[str, Any] | None,
        seconds: float,
        most_bytes: int,
        identify: encoding.Identify | None = None,
    ) -> None:
        self._requests = requests
        self._context = context
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._identify = identify
        self._ids: dict[int, str] = {}  # a request keeps its id when it is sent again
        self._unsent = deque(range(len(requests)))
        self._open: dict[int, Call] = {}  # the oldest first
        self._settled: list[int] = []
        self._watches: dict[str, Watch] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._lost_in_a_row = 0  # connections lost in a row without a reply

    def run(self, pool: Pool, most: int) -> list[Outcome]:
        """Send the requests, at most `most` at a time, and return the outcome of each."""
        self._most = most
        while self._unsent:
            try:
                with pool.proxy(Deadline(self._seconds)) as proxy:
                    self._pipeline(proxy.wire)
            except errors.RpcError as error:
                self._lose_open()
                self._give_up(error)
            except (NotSent, *BROKER_LOST) as error:
                self._lose_open()
                self._lost_in_a_row += 1
                if self._lost_in_a_row == MOST_LOST_IN_A_ROW:
                    text = f"The connection to the broker breaks: {reason(error)}"
                    self._give_up(errors.BrokerUnreachable(text))
        return [self._outcomes[number] for number in range(len(self._requests))]

    def _pipeline(self, wire: Wire) -> None:
        self._window = Window(self._most, self._seconds)
        while self._unsent or self._open:
            while self._unsent and len(self._open) < self._window.size:
                self._send(wire, self._unsent[0])
                self._unsent.popleft()
            self._collect(wire)

    def _send(self, wire: Wire, number: int) -> None:
        request = self._requests[number]
        try:
            message = self._encode(number)
        except errors.NotSendable as error:
            self._outcomes[number] = Outcome(error=error)
            return
        call = Call(wire, request, self._watch(wire, request.service))
        call.send(message, Deadline(self._seconds), partial(self._settled.append, number))
        self._open[number] = call

    def _encode(self, number: int) -> encoding.Encoded:
        """Return a request's encoded message; raise NotSendable."""
        message = encoding.encode(self._requests[number], self._context, self._most_bytes)
        if self._identify is not None and number not in self._ids:
            self._ids[number] = self._identify(message)
        return message.identified(self._ids.get(number))

    def _watch(self, wire: Wire, service: str) -> Watch:
        if service not in self._watches:
            self._watches[service] = Watch(service)
            self._watches[service].look(wire, Deadline(self._seconds))
        return self._watches[service]

    def _collect(self, wire: Wire) -> None:
        """Wait until a request is settled, or the oldest has waited too long."""
        if self._open:
            oldest = next(iter(self._open))
            try:
                while not self._settled:
                    wire.read_event(self._open[oldest].look_at)
            except TimeoutError:
                self._wait_for_last_time(wire, oldest)
        while self._settled:
            self._settle(self._settled.pop())

    def _wait_for_last_time(self, wire: Wire, number: int) -> None:
        call = self._open[number]
        try:
            call.look()
            wire.wait(call.pending, call.deadline)
        except TimeoutError:
            wire.spoiled = True
            if call.pending.settled:
                return
            if self._watches[call.request.service].answered_since(call.sent_at):
                self._expire(number)
            else:
                self._give_up_service(call.request.service)

    def _settle(self, number: int) -> None:
        call = self._open.pop(number, None)
        if call is None:  # too late: it already has an error
            return
        self._outcomes[number] = _outcome(call)
        self._lost_in_a_row = 0
        now = time.monotonic()
        self._watches[call.request.service].answered_at = now
        self._window.answered(now - call.sent_at)

    def _expire(self, number: int) -> None:
        self._outcomes[number] = Outcome(error=self._open.pop(number).timed_out())

    def _give_up_service(self, service: str) -> None:
        """Give up all requests to a service that has answered nothing for the whole timeout."""
        for number in [n for n, call in self._open.items() if call.request.service == service]:
            self._expire(number)
        error = errors.CallTimeout(
            f"Not sent: the service {service} has answered nothing for {self._seconds:g} s.",
            seconds=self._seconds,
            may_have_run=False,
        )
        self._give_up(error, service)

    def _give_up(self, error: errors.RpcError, service: str | None = None) -> None:
        """Set the error on all unsent requests, or on those to one service."""
        unsent, self._unsent = self._unsent, deque()
        for number in unsent:
            request = self._requests[number]
            if service in (None, request.service):
                self._outcomes[number] = Outcome(error=_about(error, request))
            else:
                self._unsent.append(number)

    def _lose_open(self) -> None:
        while self._settled:
            self._settle(self._settled.pop())
        for number, call in self._open.items():
            self._outcomes[number] = Outcome(error=call.lost())
        self._open.clear()


def _outcome(call: Call) -> Outcome:
    try:
        return Outcome(call.settle())
    except errors.RpcError as error:
        return Outcome(error=error)


def _about(error: errors.RpcError, request: Request) -> errors.RpcError:
    """Return a copy of the error for this request."""
    mine = copy.copy(error)
    mine.service, mine.method = request.service, request.method
    return mine
