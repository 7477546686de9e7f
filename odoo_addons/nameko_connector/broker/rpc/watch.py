"""Ask the broker, while no reply comes, whether a service's queue has consumers."""

from __future__ import annotations

import time

from ..amqp.deadline import Deadline
from .wire import QueueState, Wire


class Watch:
    """The states of a service's queue while requests wait for replies."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.answered_at: float | None = (
            None  # time.monotonic of the last reply, set by the code that sees it
        )
        self.looked_at = 0.0
        self.unanswered_look = False
        self._states: list[QueueState] = []

    def look(self, wire: Wire, deadline: Deadline) -> None:
        """Ask the broker; raise TimeoutError if it does not answer."""
        self.unanswered_look = True
        self.looked_at = time.monotonic()
        self._states.append(wire.look(self.service, deadline))
        self.unanswered_look = False

    @property
    def instances(self) -> int | None:
        """How many instances ran at the last look; None before the first."""
        return self._states[-1].consumers if self._states else None

    def answered_since(self, moment: float) -> bool:
        return self.answered_at is not None and self.answered_at >= moment

    @property
    def deserted(self) -> bool:
        """Whether at least two looks found no instance, and no reply came."""
        seen = self.answered_at is not None or any(state.consumers for state in self._states)
        return len(self._states) > 1 and not seen
