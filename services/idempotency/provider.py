"""The dependency provider `Idempotent`."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

import eventlet
from kombu.utils.json import dumps, loads
from nameko.extensions import DependencyProvider
from sqlalchemy.exc import SQLAlchemyError

from services.dependencies import request_id
from services.exceptions import NotNowError, ResultNotKeptError
from services.idempotency.store import Claim, HeldError, Store, open_store

T = TypeVar("T")
DEFAULT_URL = "sqlite:///build/idempotency.sqlite"
DEFAULT_DAYS = 90
WAIT_SECONDS = 5.0  # then the request is requeued
LONGEST_PAUSE = 0.5  # s between two tries


class Idempotent(DependencyProvider):
    """Provide `once(function, *args)`, which calls the function once for each request.

    A request is identified by its idempotency id, service, method and arguments; see
    docs/services.md. Configuration: IDEMPOTENCY_URL, the database that all instances of the
    service share, and IDEMPOTENCY_DAYS: how long it keeps the results.
    """

    def setup(self) -> None:
        config = self.container.config
        url = config.get("IDEMPOTENCY_URL") or DEFAULT_URL
        days = float(config.get("IDEMPOTENCY_DAYS") or DEFAULT_DAYS)
        self.store = open_store(url, days)

    def get_dependency(self, worker_ctx: Any) -> "Once":
        return Once(self.store, worker_ctx)


class Once:
    """The dependency that `Idempotent` provides to a worker."""

    def __init__(self, store: Store, worker_ctx: Any) -> None:
        self._store, self._worker = store, worker_ctx
        self._calls: Counter[str] = Counter()

    def __call__(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Return the result of `function`, called now or by an earlier delivery of this request.

        If a method makes several calls, the function's name and their order identify each of them.
        The result must be JSON, as a service's results are. If the function raises, nothing is
        kept, and the next delivery calls it again.

        :raises NotNowError: the same request runs elsewhere, or the store cannot be reached; this
            project's container requeues the request
        :raises ResultNotKeptError: an earlier delivery called it, but its result was no JSON
        """
        name = getattr(function, "__name__", type(function).__name__)
        self._calls[name] += 1
        with ExitStack() as stack:
            claim = self._claim_soon(stack, f"{self._request()} {name} {self._calls[name]}")
            if claim.value is None:
                result = function(*args, **kwargs)
                claim.keep(_encode(result))
                return result
        return _decode(claim.value, self.name)

    @property
    def name(self) -> str:
        """The service and method of this worker."""
        return f"{self._worker.service_name}.{self._worker.entrypoint.method_name}"

    def claim(self, key: str) -> AbstractContextManager[Claim]:
        """Hold a key for the block; all requests of this service share their keys.

        :raises HeldError: another worker or process holds it
        """
        return self._store.claim(f"{self._worker.service_name} {key}", self.name)

    def _request(self) -> str:
        worker = self._worker
        arguments = dumps([worker.args, worker.kwargs], sort_keys=True)
        return dumps([self.name, request_id(worker), arguments])

    def _claim_soon(self, stack: ExitStack, key: str) -> Claim:
        """Hold a key until the stack closes; if it is held, wait, then raise NotNowError."""
        until, pause = time.monotonic() + WAIT_SECONDS, 0.02
        while True:
            try:
                return stack.enter_context(self._store.claim(key, self.name))
            except (HeldError, SQLAlchemyError) as error:
                if time.monotonic() > until:
                    raise _not_now(self.name, error) from error
            eventlet.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)


def _not_now(name: str, error: Exception) -> NotNowError:
    reason = "The same request still runs" if isinstance(error, HeldError) else repr(error)
    return NotNowError(f"{name} was not run. {reason}: ask again later.")


def _encode(result: Any) -> str:
    try:
        return dumps({"result": result})
    except (TypeError, ValueError, RecursionError) as error:
        return dumps({"lost": f"{type(error).__name__}: {error}"})


def _decode(value: str, name: str) -> Any:
    kept = loads(value)
    if "lost" in kept:
        raise ResultNotKeptError(f"{name} ran before, but its result was not kept: {kept['lost']}")
    return kept["result"]
