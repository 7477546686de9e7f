"""The container class that runs each service; config.yaml names it in SERVICE_CONTAINER_CLS."""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import eventlet
from eventlet.semaphore import Semaphore
from nameko.amqp.publish import get_connection
from nameko.constants import (
    AMQP_SSL_CONFIG_KEY,
    AMQP_URI_CONFIG_KEY,
    CALL_ID_STACK_CONTEXT_KEY,
    LOGIN_METHOD_CONFIG_KEY,
)
from nameko.containers import GreenletExit, ServiceContainer
from nameko.messaging import Connection

from services.cancelling import cancellations
from services.companion import companion
from services.entrypoints import REQUEUED, RpcConsumer
from services.exceptions import JobCancelled
from services.messaging.consuming import QueueConsumer
from services.metrics import metrics_of

logger = logging.getLogger(__name__)

BROKER_RETRY_SECONDS = 1.0
DEATH_SECONDS = 10.0
REQUEST = "request of this worker"  # key of (correlation id, timestamp) in the context
NO_REQUEST = (None, None)
hosted: set["Container"] = set()  # the running containers of this process


class Container(ServiceContainer):
    """Nameko's service container, changed for processes under a supervisor. It runs any service.

    At the start it waits for the broker instead of exiting. At the stop it keeps the connection
    open until all received requests are finished. It counts and times the calls, notes which
    services this process runs, and starts the service `heartbeat` beside them.
    """

    def __init__(self, service_cls: type, config: dict[str, Any]) -> None:
        super().__init__(service_cls, config)
        self.stop_requested = False
        self.lifecycle = Semaphore()  # Nameko hangs if it is stopped while it starts
        companion.expect(self)

    @property
    def interface(self) -> "Container":
        """Return the container; bind our consumers first, so that all extensions share them."""
        for consumer in (QueueConsumer(), RpcConsumer()):
            consumer.bind(self)
        return self

    def start(self) -> None:
        hosted.add(self)
        with self.lifecycle:
            if self._wait_for_broker():
                super().start()
                logger.info("%s is ready", self.service_name)
                companion.join(self)

    def _wait_for_broker(self) -> bool:
        """Return True when the broker answers, or False if a stop was requested before that."""
        while not self.stop_requested:
            problem = broker_problem(self.config)
            if problem is None:
                return True
            logger.warning("%s waits for the broker: %s", self.service_name, problem)
            eventlet.sleep(BROKER_RETRY_SECONDS)
        return False

    def stop(self) -> None:
        self.stop_requested = True
        hosted.discard(self)
        with self.lifecycle:
            if self.started:
                self._prepare_stop()
                super().stop()
            elif not self._died.ready():
                self._died.send(None)
        companion.leave(self)

    def wait(self) -> Any:
        """Wait until the container has ended; after a stop, for the heartbeat's end, too."""
        ended = super().wait()
        if self.stop_requested:
            companion.wait(self)
        return ended

    @property
    def running(self) -> Counter[str]:
        """Return the number of running workers by `service.method`."""
        workers = list(self._worker_threads)
        return Counter(f"{self.service_name}.{each.entrypoint.method_name}" for each in workers)

    def _prepare_stop(self) -> None:
        for extension in self.extensions:
            if prepare_stop := getattr(extension, "prepare_stop", None):
                prepare_stop()

    def discard(self) -> None:
        """Clean up after a failed start; the process goes on."""
        hosted.discard(self)
        self._kill_managed_threads()
        self._died.send(None)
        reopen_pooled_connection(self.config)

    def kill(self, exc_info: Any = None) -> None:
        """Kill the container; after an error, end the process within DEATH_SECONDS in any case.

        Nameko stops the other services of the process first, and that waits for the broker. While
        the broker is down, the supervisor could not start a new process for too long.
        """
        if exc_info and not self._being_killed:
            eventlet.spawn_after(DEATH_SECONDS, os._exit, 1)
        super().kill(exc_info)

    def spawn_worker(
        self,
        entrypoint: Any,
        args: Any,
        kwargs: Any,
        context_data: Any = None,
        handle_result: Callable[..., Any] | None = None,
    ) -> Any:
        message = getattr(eventlet.getcurrent(), "message", None)
        metrics = metrics_of(self.service_name, entrypoint.method_name)
        metrics.started()
        started = time.perf_counter()

        def observe(worker_ctx: Any, result: Any, exc_info: Any) -> Any:
            metrics.finished(time.perf_counter() - started, exc_info)
            if message is not None and exc_info:
                message.requeued_on_purpose = isinstance(exc_info[1], REQUEUED)
            if handle_result is None:
                return result, exc_info
            return handle_result(worker_ctx, result, exc_info)

        data = context_of(context_data, message)
        return super().spawn_worker(entrypoint, args, kwargs, data, observe)

    def _run_worker(self, worker_ctx: Any, handle_result: Callable[..., Any]) -> None:
        """Run a method and handle its result; no error in this ends the container."""
        result, exc_info = self._work(worker_ctx)
        try:
            result, exc_info = handle_result(worker_ctx, result, exc_info)
        except Exception:
            logger.exception("the result of %s was not handled", worker_ctx)
        for conclude in (
            partial(self._worker_result, worker_ctx, result, exc_info),
            partial(self._worker_teardown, worker_ctx),
        ):
            try:
                conclude()
            except Exception:
                logger.exception("a dependency failed after %s", worker_ctx)

    def _work(self, worker_ctx: Any) -> tuple[Any, Any]:
        """Run the method; return (result, None), or (None, `sys.exc_info()`) if it raised."""
        try:
            cancellations.check(*worker_ctx.data.pop(REQUEST, NO_REQUEST))
            self._inject_dependencies(worker_ctx)
            self._worker_setup(worker_ctx)
            method = getattr(worker_ctx.service, worker_ctx.entrypoint.method_name)
            return method(*worker_ctx.args, **worker_ctx.kwargs), None
        except (GreenletExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - eventlet's Timeout, sys.exit
            log_failure(worker_ctx, error)
            return None, sys.exc_info()


def log_failure(worker_ctx: Any, error: BaseException) -> None:
    """Log the error of a method: expected errors as warnings, others with their traceback."""
    expected = (*as_tuple(worker_ctx.entrypoint.expected_exceptions), JobCancelled, *REQUEUED)
    if isinstance(error, expected):
        logger.warning("%s: %s: %s", worker_ctx, type(error).__name__, error)
    else:
        logger.error("error in %s: %s", worker_ctx, error, exc_info=error)


def as_tuple(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def context_of(data: dict[str, Any] | None, message: Any) -> dict[str, Any]:
    """Return the context data of a worker, without a malformed call id stack.

    Its `job` is the header `nameko.job`, else the request's correlation id, which stays the same
    when the request is redelivered.
    """
    data = {} if data is None else data
    stack = data.get(CALL_ID_STACK_CONTEXT_KEY)
    if stack is not None and not (
        isinstance(stack, list) and all(isinstance(s, str) for s in stack)
    ):
        del data[CALL_ID_STACK_CONTEXT_KEY]
    if message is not None:
        correlation_id = message.properties.get("correlation_id")
        data[REQUEST] = correlation_id, message.properties.get("timestamp")
        if correlation_id:
            data.setdefault("job", correlation_id)
    return data


def reopen_pooled_connection(config: dict[str, Any]) -> None:
    """Connect again in Nameko's pool, into which kombu puts a broken connection back closed."""
    with (
        suppress(Exception),
        get_connection(config[AMQP_URI_CONFIG_KEY], config.get(AMQP_SSL_CONFIG_KEY)) as connection,
    ):
        connection.connect()


def broker_problem(config: dict[str, Any]) -> str | None:
    """Return None if the broker accepts a connection, else the error, without the password."""
    connection = Connection(
        config[AMQP_URI_CONFIG_KEY],
        ssl=config.get(AMQP_SSL_CONFIG_KEY),
        login_method=config.get(LOGIN_METHOD_CONFIG_KEY),
        connect_timeout=5,
    )
    try:
        connection.connect()
    except (*connection.connection_errors, *connection.channel_errors) as error:
        return f"{connection.as_uri()}: {type(error).__name__} {error}"
    finally:
        with suppress(Exception):
            connection.release()
    return None
