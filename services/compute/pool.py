"""A pool of processes for heavy operations, behind a dependency provider."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import eventlet
from eventlet.green import subprocess
from eventlet.semaphore import Semaphore
from nameko.extensions import DependencyProvider

from services.cancelling import cancellations, cancelled
from services.dependencies import CurrentJob
from services.exceptions import PoolError, PoolStoppedError, PoolWorkerDiedError

ROOT = Path(__file__).resolve().parents[2]
logger = logging.getLogger(__name__)

Report = Callable[[float], None]


class PoolWorker:
    """One process of the pool, started as a new program: a fork of Nameko's would be unsafe."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.compute.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, function: str, args: tuple[Any, ...], report: Report) -> Any:
        """Run a function in the process and return its result; raises a `PoolError`."""
        with suppress(OSError):  # if the worker is dead, the read below finds that out
            self._write({"function": function, "args": args})
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if "progress" not in message:
                return self._outcome(message)
            report(message["progress"])
        raise PoolWorkerDiedError(
            f"The process that ran {function} died. Ask again, or ask for less."
        )

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _write(self, task: dict[str, Any]) -> None:
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self.process.stdin.flush()

    @staticmethod
    def _outcome(message: dict[str, Any]) -> Any:
        if "error" in message:
            raise PoolError(message["error"])
        return message["result"]


@contextmanager
def interruptible(job: CurrentJob | None) -> Iterator[None]:
    """Raise JobCancelled in this greenlet, even while it waits, when `job` is cancelled."""
    if job is None:
        yield
        return
    scope = Interruptible(cancelled(job))
    with cancellations.watching(job, lambda: eventlet.spawn_n(scope.interrupt)):
        try:
            job.check()
            yield
        finally:
            scope.over = True


class Interruptible:
    """Raises an error in the greenlet that created it, on `interrupt`, unless `over` is set."""

    def __init__(self, error: Exception) -> None:
        self.greenlet = eventlet.getcurrent()
        self.error = error
        self.over = False

    def interrupt(self) -> None:
        if not self.over:
            eventlet.kill(self.greenlet, self.error)


class ProcessPool(DependencyProvider):
    """Provide `pool.run(function, *args, report=...)`.

    Configuration: COMPUTE_PROCESSES (0: one for each processor), and COMPUTE_STOP_SECONDS: how long
    an operation may go on at shutdown before it is killed and its request is requeued.
    """

    def setup(self) -> None:
        config = self.container.config
        self.size = int(config.get("COMPUTE_PROCESSES") or os.cpu_count() or 1)
        self.stop_seconds = float(config.get("COMPUTE_STOP_SECONDS", 5))
        self.slots = Semaphore(self.size)
        self.idle: list[PoolWorker] = []
        self.busy: set[PoolWorker] = set()
        self.stopping = False

    def get_dependency(self, worker_ctx: Any) -> "ProcessPool":
        return self

    def run(
        self,
        function: str,
        *args: Any,
        report: Report = lambda share: None,
        job: CurrentJob | None = None,
    ) -> Any:
        """Run `function` of `services.compute.worker` in another process and return its result.

        `report` is called with the share that is done, 0 to 1. When `job` is cancelled, the
        operation is killed, or stops waiting for a free process. Raises `JobCancelled`,
        `PoolError`, `PoolWorkerDiedError`, or `PoolStoppedError` when the service shuts down.
        """
        with ExitStack() as stack:
            with interruptible(job):
                stack.enter_context(self.slots)
            if self.stopping:
                raise PoolStoppedError
            worker = self.idle.pop() if self.idle else PoolWorker()
            return self._run_on(worker, partial(worker.run, function, args, report), job)

    def _run_on(self, worker: PoolWorker, run: Callable[[], Any], job: CurrentJob | None) -> Any:
        self.busy.add(worker)
        finished = False
        try:
            with interruptible(job):
                result = run()
            finished = True
        except PoolWorkerDiedError as error:
            if self.stopping:
                raise PoolStoppedError from error
            raise
        else:
            return result
        finally:
            self.busy.discard(worker)
            if finished:
                self.idle.append(worker)
            else:
                worker.kill()

    def prepare_stop(self) -> None:
        """Kill the operations that still run after `stop_seconds`."""
        eventlet.spawn_after(self.stop_seconds, self.stop_running)

    def stop_running(self) -> None:
        self.stopping = True
        for worker in list(self.busy):
            logger.warning("stopped a heavy operation: its request goes back to the queue")
            worker.process.kill()

    def stop(self) -> None:
        self.stopping = True
        while self.idle:
            self.idle.pop().kill()

    def kill(self) -> None:
        self.stop_running()
        self.stop()
