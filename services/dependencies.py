"""Dependency providers that more than one service uses."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from nameko.amqp.publish import get_connection
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.extensions import DependencyProvider
from nameko.rpc import RPC_QUEUE_TEMPLATE, MethodProxy, Queue, ServiceProxy, get_rpc_exchange

from services.cancelling import cancellations, cancelled
from services.entrypoints import NOBODY
from services.messaging.consuming import QueueConsumer


class NoReplies:
    """Takes the place of Nameko's reply listener for requests that need no reply."""

    routing_key = NOBODY

    def get_reply_event(self, correlation_id: str) -> "NoReplies":
        return self

    def wait(self) -> None:
        raise RuntimeError("no reply comes to an AsyncRpcProxy: use `call_async`, or an RpcProxy")


class AsyncServiceProxy(ServiceProxy):
    """Nameko's proxy, which here publishes over the connection that its service consumes on."""

    def __init__(self, worker_ctx: Any, service: str, queue_consumer: QueueConsumer) -> None:
        super().__init__(worker_ctx, service, NoReplies())
        self.queue_consumer = queue_consumer

    def __getattr__(self, name: str) -> MethodProxy:
        method = super().__getattr__(name)
        method.publisher = self.queue_consumer.publisher()
        return method


class AsyncRpcProxy(DependencyProvider):
    """A proxy to a service that may never have run, for requests that need no reply.

    Nameko raises `UnknownService` if the target's queue was never declared. This proxy declares
    the queue, so that requests made with `call_async` wait there until the target first starts.
    """

    queue_consumer = QueueConsumer()

    def __init__(self, target_service: str) -> None:
        self.target_service = target_service

    def get_dependency(self, worker_ctx: Any) -> AsyncServiceProxy:
        return AsyncServiceProxy(worker_ctx, self.target_service, self.queue_consumer)

    def setup(self) -> None:
        config = self.container.config
        queue = Queue(
            RPC_QUEUE_TEMPLATE.format(self.target_service),
            exchange=get_rpc_exchange(config),
            routing_key=f"{self.target_service}.*",
            durable=True,
        )
        uri, ssl = config[AMQP_URI_CONFIG_KEY], config.get(AMQP_SSL_CONFIG_KEY)
        with get_connection(uri, ssl, config.get(LOGIN_METHOD_CONFIG_KEY)) as connection:
            queue(connection.default_channel).declare()


class AfterReply(DependencyProvider):
    """Provide `after_reply(function, *args)`, for work that the caller need not wait for.

    The function is called after the reply is published and before the request is acked. If the
    process dies in between, the broker redelivers the request, so no function is lost.
    """

    def get_dependency(self, worker_ctx: Any) -> Callable[..., None]:
        worker_ctx.after_reply = []
        return lambda function, *args: worker_ctx.after_reply.append(partial(function, *args))


class CurrentJob(str):
    """The id of the job for which a worker runs, which also says whether it was cancelled.

    If the request is not from a job, it is the request's correlation id or the worker's call id.
    """

    _started: float  # on the monotonic clock

    def __new__(cls, job_id: str) -> "CurrentJob":
        job = super().__new__(cls, job_id)
        job._started = time.monotonic()
        return job

    @property
    def id(self) -> str:
        """Return the id as a plain text."""
        return str(self)

    @property
    def cancelled(self) -> bool:
        """Return whether the job was cancelled since this worker began."""
        return cancellations.since(self, self._started)

    def check(self) -> None:
        """Raise JobCancelled if the job was cancelled."""
        if self.cancelled:
            raise cancelled(self)


class RequestId(DependencyProvider):
    """Provide the id of a request, which stays the same if it is sent again or redelivered.

    See `request_id`.
    """

    def get_dependency(self, worker_ctx: Any) -> str:
        return request_id(worker_ctx)


def request_id(worker_ctx: Any) -> str:
    """Return the context's `idempotency_id`, else its `job`, else the worker's call id."""
    data = worker_ctx.data
    return str(data.get("idempotency_id") or data.get("job") or worker_ctx.call_id)


class Job(DependencyProvider):
    """Provide the `CurrentJob`: `self.job` is its id, `self.job.cancelled` its cancellation."""

    def get_dependency(self, worker_ctx: Any) -> CurrentJob:
        return CurrentJob(str(worker_ctx.data.get("job") or worker_ctx.call_id))
