"""Consumes messages from the broker: requests, events, and those of `consume` entrypoints.

`FrameReader` reads each message, even a malformed one (`reading`). Then, in a greenlet of its own:
the `DeliveryCounter` decides whether it is run now (`counting`); it waits until there is memory for
its decoded body (`room`); its body is decoded; it is handled. An error in any step is sent as the
reply, or it is logged and the message rejected.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import eventlet
from amqp import AMQPError
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from nameko import messaging
from nameko.constants import DEFAULT_SERIALIZER, SERIALIZER_CONFIG_KEY

from services.messaging.counting import MAX_DELIVERIES, DeliveryCounter, is_for_reply, name_of
from services.messaging.optional import OptionalConsumers
from services.messaging.publishing import CONNECTION_LOST, Publisher, SizeLimit
from services.messaging.py_amqp import GatheredWrites, ReadAhead
from services.messaging.reading import FrameReader, largest_message, read_messages
from services.messaging.replying import describe
from services.messaging.room import Room
from services.messaging.topology import Topology

logger = logging.getLogger(__name__)


class QueueConsumer(messaging.QueueConsumer):
    """Nameko's queue consumer; its connection also sends the replies, and stays open until then.

    Nameko closes the connection as soon as a shutdown begins. RabbitMQ would then redeliver the
    unacked requests to another instance, and they would run twice.
    """

    sharing_key = messaging.QueueConsumer

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self._publisher: Publisher | None = None  # of the open connection
        self._reads: ReadAhead | None = None  # of the last connection
        self._in_hand: dict[int, Any] = {}
        self._room = Room()
        self._held: list[Any] = []  # messages that arrived after a stop began
        self._first: list[tuple[Any, Any]] = []  # (provider, message), taken before it consumes
        self._has_connected = False

    def setup(self) -> None:
        config = self.container.config
        self.largest = largest_message(config)
        self.limit = SizeLimit(self.largest)
        max_deliveries = int(config.get("MAX_DELIVERIES") or MAX_DELIVERIES)
        self.counter = DeliveryCounter(self, self.container.service_name, max_deliveries)
        self._topology = Topology(self.container.service_name, self.largest)
        self.optional = OptionalConsumers(self, self._topology)

    @property
    def connection(self) -> Connection:
        """Nameko's connection, with a frame reader that no message can break."""
        connection = super().connection
        connection.transport_options = {
            **connection.transport_options,
            "frame_handler": partial(FrameReader, largest=self.largest),
        }
        return connection

    def publisher(self, channel: Any = None) -> Publisher:
        """Return the publisher; raises OperationalError if the connection or channel is lost."""
        if self._publisher is None or (channel is not None and channel.connection is None):
            raise OperationalError(CONNECTION_LOST)
        return self._publisher

    def flush(self) -> None:
        """Wait until all written bytes are sent, or the connection is lost."""
        self._writes.flush()

    # Connecting

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Prepare a new connection; called by kombu before it consumes."""
        connection = channel.connection
        self._reads = ReadAhead(connection)
        self._writes = GatheredWrites(connection)
        serializer = self.container.config.get(SERIALIZER_CONFIG_KEY, DEFAULT_SERIALIZER)
        self._publisher = Publisher(connection, serializer, self.limit)
        read_messages(channel, self.largest)
        self._first.clear()
        for provider in self._providers:
            self._consumers[provider] = self._consumer(consumer_cls, provider)
            if not self._has_connected:
                self._take_first(provider.queue(channel), provider)
        self._has_connected = True
        self._topology.open(connection)
        self.optional.consume(suspects=bool(self._providers))
        return self._consumers.values()

    def _consumer(self, consumer_cls: Any, provider: Any) -> Any:
        receive = partial(self.on_message, provider)
        consumer = consumer_cls(queues=[provider.queue], on_message=receive, accept=self.accept)
        consumer.qos(prefetch_count=self.prefetch_count)
        return consumer

    def _take_first(self, queue: Any, provider: Any) -> None:
        """Get the first message of a queue, to find out whether redeliveries are marked."""
        message = self.counter.first_of(queue, provider, accept=self.accept)
        if message is not None:
            self._first.append((provider, message))

    def on_consume_ready(
        self, connection: Any, channel: Any, consumers: Any, **kwargs: Any
    ) -> None:
        """Handle the first messages; earlier, their replies could block the connection."""
        first, self._first = self._first, []
        for provider, message in first:
            self.on_message(provider, message)
        super().on_consume_ready(connection, channel, consumers, **kwargs)

    def _declare_again(self) -> None:
        """Declare all queues again, in case somebody has deleted one or its exchange."""
        queues = [provider.queue for provider in self._consumers]
        self._topology.declare(queues + self.optional.queues())

    @contextmanager
    def extra_context(self, connection: Any, channel: Any) -> Iterator[None]:
        try:
            yield
        finally:
            self._lose_connection()

    def _lose_connection(self) -> None:
        publisher, self._publisher = self._publisher, None
        self._topology.close()
        if publisher is not None:
            publisher.lose()
        self.optional.lose()
        self.counter.lose(self._in_hand.values(), self._prefetch_counts())
        self._in_hand.clear()
        self._held.clear()

    def _prefetch_counts(self) -> dict[str, int]:
        """Return by queue how many unacked messages the broker may have delivered."""
        prefetch_counts = {provider.queue.name: self.prefetch_count for provider in self._providers}
        return {**prefetch_counts, self.counter.suspects_queue.name: 1}

    # Stopping

    @property
    def is_stopping(self) -> bool:
        """Whether its container was asked to stop."""
        return bool(self.container.stop_requested)

    def _cancel_consumers_if_requested(self) -> None:
        if self._pending_remove_providers:
            self.optional.cancel_suspects()
        super()._cancel_consumers_if_requested()

    def unregister_provider(self, provider: Any) -> None:
        """Cancel a consumer at once; without the interrupt it could take a second."""
        self._interrupt()
        super().unregister_provider(provider)

    def on_iteration(self) -> None:
        busy = self._held or self.counter.is_copying or self._room.is_awaited
        self._cancel_consumers_if_requested()
        if self._topology.is_due and not self.stopping:
            self._declare_again()
        self._requeue_held()
        if self.stopping and not self._consumers and not busy:
            self.should_stop = True
            self._interrupt()

    def _interrupt(self) -> None:
        """Wake the loop that waits for messages, so that its next iteration begins soon."""
        if self._reads is not None:
            self._reads.interrupt()

    def hold(self, message: Any) -> None:
        """Keep a message that arrived after a stop began until its consumer is cancelled."""
        self._held.append(message)

    def _requeue_held(self) -> None:
        """Requeue held messages whose consumer is cancelled: it cannot receive them again."""
        held, self._held = self._held, []
        for message in held:
            if message.provider in self._consumers:
                self._held.append(message)
            else:
                self.container.spawn_managed_thread(partial(self.requeue_uncounted, message))

    def stop(self) -> None:
        """Close the connection; the container calls this when all its workers have ended."""
        self.stopping = True
        self._interrupt()
        super().stop()

    # Handling

    def provider_of(self, queue: str) -> Any:
        """Return the provider that consumes a queue, or None."""
        return next((each for each in self._providers if each.queue.name == queue), None)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Reject a message that not even `Message` can read; called by kombu."""
        logger.error("a message cannot be read, and is rejected: %s", exc)
        with suppress(AMQPError, OSError):
            message.channel.basic_reject(message.delivery_tag, requeue=False)

    def on_message(self, provider: Any, message: Any) -> None:
        """Start handling a message. provider: its handler, or None for a suspect's copy."""
        self._in_hand[id(message)] = message
        message.provider, message.record, message.finished = provider, None, False
        message.source = provider.queue.name if provider else self.counter.suspects_queue.name
        name = f"handle_message[{message.delivery_info['routing_key']}]"
        self.container.spawn_managed_thread(partial(self._handle, message), identifier=name)

    def _handle(self, message: Any) -> None:
        eventlet.getcurrent().message = message
        try:
            if self.counter.may_run(message):
                self._run(message)
        except Exception as error:  # noqa: BLE001 - it is sent as the reply, or logged
            self.refuse(message, error)

    def _run(self, message: Any) -> None:
        """Decode and handle a message; all but replies, which workers need, wait for room."""
        has_waited = not is_for_reply(message.provider) and self._room.enter(message)
        if has_waited and self.is_stopping:
            self.hold(message)
        else:
            message.provider.handle_message(message.content(), message)

    def resume(self, orphan: Any, message: Any) -> None:
        """Let the worker that still runs `orphan` ack and answer its new delivery instead."""
        self._in_hand.pop(id(message), None)
        orphan.channel, orphan.delivery_tag = message.channel, message.delivery_tag
        self._in_hand[id(orphan)] = orphan

    def refuse(self, message: Any, error: Exception) -> None:
        """Answer a message that cannot be handled with an error, or log it."""
        try:
            self._refuse_to(message.provider, message, error)
        except Exception:
            logger.exception("a message is rejected: %s", name_of(message))
            self._settle(message, message.reject)

    def _refuse_to(self, provider: Any, message: Any, error: Exception) -> None:
        if refuse := getattr(provider, "refuse", None):
            refuse(message, error)
        elif is_for_reply(provider):
            provider.handle_message({"result": None, "error": describe(error)}, message)
        else:
            logger.error("a message is rejected: %s: %s", name_of(message), error, exc_info=error)
            self._settle(message, message.reject)

    def ack_message(self, message: Any) -> None:
        self._settle(message, message.ack)

    def requeue_message(self, message: Any) -> None:
        """Requeue a message; the delivery counts, unless it is requeued on purpose."""
        if getattr(message, "requeued_on_purpose", False):
            self.requeue_uncounted(message)
        else:
            self._settle(message, message.requeue)

    def requeue_uncounted(self, message: Any) -> None:
        """Requeue a message without counting this delivery."""
        is_open = message.channel.connection and not message.acknowledged
        if not is_open or not self.counter.requeue_uncounted(message):
            self._settle(message, message.requeue)

    def _settle(self, message: Any, settle: Callable[[], None]) -> None:
        message.finished = True
        self._in_hand.pop(id(message), None)
        self._room.leave(message)
        if message.channel.connection and not message.acknowledged:
            with suppress(AMQPError, OSError):  # the broker redelivers it
                settle()
        message.body = message._decoded_cache = None
