"""The container that runs each service: SERVICE_CONTAINER_CLS of config.yaml."""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
from eventlet.semaphore import Semaphore
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.containers import ServiceContainer
from nameko.messaging import Connection

from services.entrypoints import RpcConsumer
from services.metrics import metrics_of
from services.publishing import QueueConsumer

logger = logging.getLogger(__name__)

BROKER_RETRY_SECONDS = 1.0
DEATH_SECONDS = 10.0
hosted: set["Container"] = set()  # the running containers of this process


class Container(ServiceContainer):
    """Nameko's container, made fit for a supervised life. It works with any Nameko service.

    It waits for the broker instead of exiting without one, keeps the connection that holds the
    unfinished requests until they are finished, counts and times the calls, and knows which
    services this process hosts.
    """

    def __init__(self, service_cls: type, config: dict[str, Any]) -> None:
        super().__init__(service_cls, config)
        self.stop_requested = False
        self.lifecycle = Semaphore()  # Nameko hangs when it is stopped while it starts

    @property
    def interface(self) -> "Container":
        """The container, for the extensions to bind to, which then share these consumers."""
        for consumer in (QueueConsumer(), RpcConsumer()):
            consumer.bind(self)
        return self

    def start(self) -> None:
        hosted.add(self)
        with self.lifecycle:
            if self._wait_for_broker():
                super().start()
                logger.info("%s is ready", self.service_name)

    def _wait_for_broker(self) -> bool:
        """Return True when the broker answers, or False when asked to stop before it did."""
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

    def _prepare_stop(self) -> None:
        for extension in self.extensions:
            if prepare_stop := getattr(extension, "prepare_stop", None):
                prepare_stop()

    def kill(self, exc_info: Any = None) -> None:
        """End with an error, and the process with it, come what may.

        Nameko stops the other services of the process first, which waits for the broker where it
        is away: too long for a supervisor that is to start a new process.
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
        metrics = metrics_of(self.service_name, entrypoint.method_name)
        metrics.started()
        started = time.perf_counter()

        def observe(worker_ctx: Any, result: Any, exc_info: Any) -> Any:
            metrics.finished(time.perf_counter() - started, exc_info)
            if handle_result is None:
                return result, exc_info
            return handle_result(worker_ctx, result, exc_info)

        return super().spawn_worker(entrypoint, args, kwargs, context_data, observe)


def broker_problem(config: dict[str, Any]) -> str | None:
    """Return None when the broker accepts a connection, else what it says, without the password."""
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
