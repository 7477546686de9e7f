"""A circuit breaker that never keeps a caller from a broker that has come back."""

from __future__ import annotations

import threading
import time

IMPATIENT = 0.5  # s to connect with, while the broker is known not to answer
PATIENT_EVERY = 5.0  # s between attempts with the whole time, for a broker that is only far away


class Breaker:
    """Says how long an attempt to connect may take.

    Closed: the whole connect timeout. Open, after an attempt has failed: every caller still tries,
    but shortly, so that the hundredth click fails fast and the first click after a recovery works.
    """

    def __init__(self, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._lock = threading.Lock()
        self._open = False
        self._patient_at = 0.0

    def budget(self) -> float:
        """Seconds that the next attempt may take."""
        with self._lock:
            if not self._open or time.monotonic() >= self._patient_at:
                self._patient_at = time.monotonic() + PATIENT_EVERY
                return self._connect_timeout
            return min(IMPATIENT, self._connect_timeout)

    def failed(self) -> None:
        with self._lock:
            if not self._open:
                self._open = True
                self._patient_at = time.monotonic() + PATIENT_EVERY

    def succeeded(self) -> None:
        self._open = False
