"""A circuit breaker that shortens connection attempts, but never blocks them."""

from __future__ import annotations

import threading
import time

SHORT_TIMEOUT = 0.5  # s per attempt to connect, after one has failed
FULL_TIMEOUT_EVERY = 5.0  # s between attempts with the full timeout, for a slow broker


class Breaker:
    """Decides how long an attempt to connect may take.

    Closed: the whole connect timeout. Open, after a failed attempt: every caller still tries, but
    for a short time, so that calls fail fast, and the first call after a recovery succeeds.
    """

    def __init__(self, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._open = False
        self._patient_at = 0.0

    def budget(self) -> float:
        """Return the seconds that the next attempt may take."""
        with self._lock:
            if not self._open or time.monotonic() >= self._patient_at:
                self._patient_at = time.monotonic() + FULL_TIMEOUT_EVERY
                return self._connect_timeout
            return min(SHORT_TIMEOUT, self._connect_timeout)

    def failed(self) -> None:
        with self._lock:
            if not self._open:
                self._open = True
                self._patient_at = time.monotonic() + FULL_TIMEOUT_EVERY

    def succeeded(self) -> None:
        self._open = False
