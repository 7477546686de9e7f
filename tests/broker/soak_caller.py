"""A process that makes many calls, and counts their results and errors."""

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stack.layout import CHECKOUT

THREADS = 4  # in each process
TIMEOUT = 3.0  # s for each call


def caller(uri: str, calls: int, summary: Path) -> None:
    """Call from several threads; write a summary of the results as JSON."""
    sys.path.insert(0, str(CHECKOUT / "odoo_addons" / "nameko_connector"))
    from broker import BrokerConfig, Client  # noqa: PLC0415

    client = Client(BrokerConfig(uri, timeout=TIMEOUT, pool_size=THREADS))
    tally = Tally()
    share = calls // THREADS
    threads = [
        threading.Thread(
            target=_call_again_and_again, args=(client, tally, share, f"{summary.stem}-{each}")
        )
        for each in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    summary.write_text(json.dumps(tally.summary()))


class Tally:
    """The results of all threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._memory: list[int] = []  # bytes, every 500 calls
        self.outcomes: Counter[str] = Counter()
        self.longest = 0.0
        self.problems: list[str] = []
        self.answered: list[str] = []
        self.certain: list[str] = []  # calls that cannot have run, by their error

    def add(self, token: str, seconds: float, result: Any, error: Exception | None) -> None:
        with self._lock:
            self.longest = max(self.longest, seconds)
            self._judge(token, result, error)
            if sum(self.outcomes.values()) % 500 == 0:
                self._memory.append(resident_bytes())

    def _judge(self, token: str, result: Any, error: Exception | None) -> None:
        from broker import RpcError  # noqa: PLC0415

        self.outcomes[type(error).__name__ if error else "answered"] += 1
        if error is None:
            self.answered.append(token)
            if result != token:
                self.problems.append(f"{token} got the answer {result}")
        elif not isinstance(error, RpcError):
            self.problems.append(f"{token} raised {error!r}")
        elif not error.may_have_run:
            self.certain.append(token)

    def summary(self) -> dict[str, Any]:
        return {
            "outcomes": self.outcomes,
            "longest": self.longest,
            "problems": self.problems,
            "answered": self.answered,
            "certain": self.certain,
            "memory": self._memory,
        }


def _call_again_and_again(client: Any, tally: Tally, calls: int, name: str) -> None:
    from broker import Request  # noqa: PLC0415

    for number in range(calls):
        token = f"{name}-{number}"
        start = time.monotonic()
        result, error = None, None
        try:
            result = client.call(Request("probe", "log_and_echo", (token,)))
        except Exception as caught:  # noqa: BLE001  every kind is counted
            error = caught
        tally.add(token, time.monotonic() - start, result, error)
        if error is not None:
            time.sleep(0.05)  # so that one outage does not use up all the calls


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
