"""Nameko's entrypoints, extended: limits of size, counted deliveries, cancelled jobs."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from amqp import Message
from kombu.exceptions import OperationalError
from nameko import rpc as nameko_rpc
from nameko.constants import PERSISTENT
from nameko.rpc import get_rpc_exchange
from nameko.timer import Timer

from services.exceptions import MessageTooLarge, NotNowError, PoolStoppedError, ResultTooLarge
from services.messaging.consuming import QueueConsumer
from services.messaging.replying import Encoded, encode_error, encode_result, serializer_for

logger = logging.getLogger(__name__)

# Errors that the request did not cause: it is requeued, and run here again or by another instance.
REQUEUED = (PoolStoppedError, NotNowError, OperationalError)
NOBODY = "nobody"  # a `reply_to` that no queue is bound to


class RpcConsumer(nameko_rpc.RpcConsumer):
    """Nameko's RPC consumer, which here sends replies over the connection of the requests.

    Each request is acked and, if it has a `reply_to`, answered: with an error if the method raises
    or the result cannot be sent. Between the reply and the ack, the functions that the worker
    passed to `AfterReply` are called.
    """

    sharing_key = nameko_rpc.RpcConsumer
    queue_consumer = QueueConsumer()

    def handle_message(self, body: Any, message: Any) -> None:
        try:
            provider = self.get_provider_for_method(message.delivery_info["routing_key"])
            provider.handle_message(body, message)
        except Exception as error:  # noqa: BLE001 - it is sent as the reply
            logger.info("the request %s is refused: %s", _name(message), type(error).__name__)
            self.refuse(message, error)

    def refuse(self, message: Any, error: BaseException) -> None:
        """Answer a request that is not run with an error."""
        self.handle_result(message, None, (type(error), error, error.__traceback__))

    def handle_result(
        self,
        message: Any,
        result: Any,
        exc_info: Any,
        after_reply: Sequence[Callable[[], Any]] = (),
    ) -> Any:
        if exc_info and isinstance(exc_info[1], REQUEUED):
            self.queue_consumer.requeue_uncounted(message)
            return result, exc_info
        try:
            result, exc_info = self._reply(message, result, exc_info)
            for function in after_reply:
                do_after_reply(function)
        except REQUEUED as error:
            logger.warning("the broker keeps the request %s: %s", _name(message), error)
            self.queue_consumer.requeue_uncounted(message)
        else:
            self.queue_consumer.ack_message(message)
        return result, exc_info

    def requeue_message(self, message: Any) -> None:
        self.queue_consumer.requeue_uncounted(message)

    def _reply(self, message: Any, result: Any, exc_info: Any) -> Any:
        """Send the result, or an error if it cannot be sent; return the (result, exc_info) sent."""
        reply_to = message.properties.get("reply_to")
        if reply_to in (None, NOBODY):
            return result, exc_info
        if exc_info is None:
            try:
                self._send(message, reply_to, encode_result(result, self._serializer(message)))
            except REQUEUED:
                raise
            except Exception as error:  # noqa: BLE001 - the caller gets it
                result, exc_info = None, _unsent(message, error)
            else:
                return result, None
        self._reply_error(message, reply_to, exc_info[1])
        return result, exc_info

    def _reply_error(self, message: Any, reply_to: str, error: BaseException) -> None:
        try:
            wanted = bool(self.container.config.get("TRACEBACKS"))
            encoded = encode_error(error, self._serializer(message), with_traceback=wanted)
            self._send(message, reply_to, encoded)
        except REQUEUED:
            raise
        except Exception:
            logger.exception("the request %s cannot be answered", _name(message))

    def _serializer(self, message: Any) -> str:
        container = self.container
        return serializer_for(message.content_type, container.accept, container.serializer)

    def _send(self, message: Any, reply_to: str, encoded: Encoded) -> None:
        content_type, content_encoding, body = encoded
        reply = Message(
            body,
            content_type=content_type,
            content_encoding=content_encoding,
            delivery_mode=PERSISTENT,
            correlation_id=message.properties.get("correlation_id"),
        )
        exchange = get_rpc_exchange(self.container.config).name
        self.queue_consumer.publisher(message.channel).send(reply, exchange, reply_to)


def _unsent(message: Any, error: Exception) -> Any:
    """Return the error that says why a result cannot be sent, as `sys.exc_info()` would."""
    if isinstance(error, MessageTooLarge):
        error = ResultTooLarge(f"{_name(message)} ran, but its result cannot be sent. {error}")
    logger.warning("%s", error if isinstance(error, ResultTooLarge) else repr(error)[:1000])
    return type(error), error, error.__traceback__


def _name(message: Any) -> str:
    return str(message.delivery_info["routing_key"])


def do_after_reply(function: Callable[[], Any]) -> None:
    """Call a function; log its error without its arguments, unless the broker caused it."""
    try:
        function()
    except REQUEUED:
        raise
    except Exception:
        logger.exception("not done after the reply: %r", getattr(function, "func", function))


class Rpc(nameko_rpc.Rpc):
    """Nameko's RPC entrypoint, whose workers can use `AfterReply`."""

    rpc_consumer = RpcConsumer()

    def handle_result(self, message: Any, worker_ctx: Any, result: Any, exc_info: Any) -> Any:
        after_reply = getattr(worker_ctx, "after_reply", ())
        return self.rpc_consumer.handle_result(message, result, exc_info, after_reply)


rpc = Rpc.decorator


class ConfiguredTimer(Timer):
    """A Nameko timer with its interval in the configuration, which also fires at the start.

    interval_key: the configuration's key for the interval in seconds; default: if that is not set
    """

    def __init__(self, interval_key: str, default: float, **kwargs: Any) -> None:
        self.interval_key, self.default = interval_key, default
        super().__init__(interval=None, eager=True, **kwargs)

    def setup(self) -> None:
        self.interval = float(self.container.config.get(self.interval_key) or self.default)


timer = ConfiguredTimer.decorator
