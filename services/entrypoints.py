"""Nameko's entrypoints, and what they lack."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kombu.exceptions import OperationalError
from nameko import rpc as nameko_rpc
from nameko.constants import DEFAULT_SERIALIZER, SERIALIZER_CONFIG_KEY
from nameko.rpc import get_rpc_exchange
from nameko.timer import Timer

from services.exceptions import PoolStoppedError
from services.publishing import QueueConsumer

logger = logging.getLogger(__name__)

# Not the request's fault: it goes back to the queue, to be run here again or by another instance.
REQUEUED = (PoolStoppedError, OperationalError)
NOBODY = "nobody"  # a `reply_to` that no queue is bound to


class RpcConsumer(nameko_rpc.RpcConsumer):
    """Nameko's, with replies over the requests' connection.

    A request without `reply_to` or content type would kill Nameko's, again and again. Between the
    reply and its acknowledgement it does what the worker left for `AfterReply`.
    """

    sharing_key = nameko_rpc.RpcConsumer
    queue_consumer = QueueConsumer()

    def handle_message(self, body: Any, message: Any) -> None:
        message.properties.setdefault("reply_to", NOBODY)
        message.properties.setdefault("content_type", "application/json")
        super().handle_message(body, message)

    def handle_result(
        self,
        message: Any,
        result: Any,
        exc_info: Any,
        after_reply: Sequence[Callable[[], Any]] = (),
    ) -> Any:
        try:
            result, exc_info = self._reply(message, result, exc_info)
            for function in after_reply:
                do_after_reply(function)
        except REQUEUED as error:
            logger.warning("the broker keeps the request %s: %s", _name(message), error)
            self.requeue_message(message)
        else:
            self.queue_consumer.ack_message(message)
        return result, exc_info

    def _reply(self, message: Any, result: Any, exc_info: Any) -> Any:
        if message.properties["reply_to"] == NOBODY:
            return result, exc_info
        publisher = self.queue_consumer.publisher(message.channel)
        config = self.container.config
        serializer = config.get(SERIALIZER_CONFIG_KEY, DEFAULT_SERIALIZER)
        responder = nameko_rpc.Responder("", get_rpc_exchange(config), serializer, message)
        responder.publisher_cls = lambda *_args, **_options: publisher
        return responder.send_response(result, exc_info)


def _name(message: Any) -> str:
    return str(message.delivery_info["routing_key"])


def do_after_reply(function: Callable[[], Any]) -> None:
    """Call it; an error that is not the broker's is logged, without what it was called with."""
    try:
        function()
    except REQUEUED:
        raise
    except Exception:
        logger.exception("not done after the reply: %r", getattr(function, "func", function))


class Rpc(nameko_rpc.Rpc):
    """Nameko's RPC entrypoint, with two more habits.

    The worker's context data has `job`: the header `nameko.job`, else the request's correlation
    id, which a redelivery keeps. A request that failed for want of a broker or because of a
    shutdown goes back to the queue instead of being answered with an error.
    """

    rpc_consumer = RpcConsumer()

    def unpack_message_headers(self, message: Any) -> dict[str, Any]:
        data: dict[str, Any] = super().unpack_message_headers(message)
        if correlation_id := message.properties.get("correlation_id"):
            data.setdefault("job", correlation_id)
        return data

    def handle_result(self, message: Any, worker_ctx: Any, result: Any, exc_info: Any) -> Any:
        if exc_info and isinstance(exc_info[1], REQUEUED):
            self.rpc_consumer.requeue_message(message)
            return result, exc_info
        after_reply = getattr(worker_ctx, "after_reply", ())
        return self.rpc_consumer.handle_result(message, result, exc_info, after_reply)


rpc = Rpc.decorator


class ConfiguredTimer(Timer):
    """A Nameko timer that takes its interval in seconds from the configuration, and fires at once.

    `interval_key` names the key of the configuration.
    """

    def __init__(self, interval_key: str, **kwargs: Any) -> None:
        self.interval_key = interval_key
        super().__init__(interval=None, eager=True, **kwargs)

    def setup(self) -> None:
        self.interval = float(self.container.config[self.interval_key])


timer = ConfiguredTimer.decorator
