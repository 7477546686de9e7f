"""Taking messages from the broker: requests, events, and what `consume` is for.

For each message, in this order:

1. `FrameReader` reads it, whatever it holds (services/reading.py).
2. One that the broker has delivered before may have ended the process that had it. It is not run at
   once: a copy that counts goes to the end of its queue, from the second time on to the service's
   queue of suspects, of which each instance takes one at a time. So a request that kills its
   process stands alone soon, and what was beside it is not suspected with it. After MAX_DELIVERIES
   it is answered with RequestGivenUp and kept in the queue of dead letters.
3. Its body is decoded and it is handled, in a greenlet of its own. Whatever that raises is
   answered, or logged and the message rejected.

What a living process loses with its connection is not counted where the same process gets it again:
a worker that is still at it goes on, for the new delivery. What a process gives back in order goes
to the end of the queue as a copy that does not count.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import eventlet
from amqp import AMQPError
from eventlet.event import Event
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from kombu.messaging import Consumer
from nameko import messaging
from nameko.amqp.publish import UndeliverableMessage
from nameko.constants import DEFAULT_SERIALIZER, SERIALIZER_CONFIG_KEY

from services.cancelling import cancellations, events_queue
from services.deliveries import HEADER, Record, copy_of
from services.exceptions import MessageTooLarge, PublicationRefused, RequestGivenUp
from services.publishing import CONNECTION_LOST, GatheredWrites, Publisher, SizeLimit
from services.reading import FrameReader, Message, largest_message
from services.replying import describe

logger = logging.getLogger(__name__)

READ_AHEAD = 65536  # bytes
MAX_DELIVERIES = 5
SUSPECT_COUNT = 2  # deliveries in vain from which on a message is a suspect
MAX_ORPHANS = 1000
MAX_DEAD_LETTERS = 10_000
NOT_PUBLISHED = (OperationalError, UndeliverableMessage, MessageTooLarge, PublicationRefused)


def suspects_queue(service: str) -> Queue:
    """Return the queue of the messages that may have ended processes of a service."""
    return Queue(
        f"nameko.suspects-{service}", durable=True, queue_arguments={"x-queue-type": "quorum"}
    )


def dead_queue(service: str) -> Queue:
    """Return the queue of the messages that a service has given up, the newest of them."""
    arguments = {"x-queue-type": "quorum", "x-max-length": MAX_DEAD_LETTERS}
    return Queue(f"nameko.dead-{service}", durable=True, queue_arguments=arguments)


class QueueConsumer(messaging.QueueConsumer):
    """Nameko's, whose connection also carries the replies, and lasts until they are out.

    Nameko closes the connection with its last queue, at once when a shutdown begins: the broker
    would give the requests in hand to another instance, to run twice.
    """

    sharing_key = messaging.QueueConsumer
    hears_cancellations: "QueueConsumer | None" = None  # the one of this process that does

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self._publisher: Publisher | None = None  # of the open connection
        self._in_hand: dict[int, Any] = {}
        # Messages whose connection was lost, by what they will look like when they come again.
        self._orphans: deque[tuple[Any, Any]] = deque(maxlen=MAX_ORPHANS)
        self._suspects: Consumer | None = None
        self._copied: dict[Any, Event] = {}  # by the id of a copy: its original is settled
        self._held: list[Any] = []  # messages that came after a stop began

    def setup(self) -> None:
        config = self.container.config
        self.largest = largest_message(config)
        self.max_deliveries = int(config.get("MAX_DELIVERIES") or MAX_DELIVERIES)
        self.limit = SizeLimit(self.largest)
        self.suspects_queue = suspects_queue(self.container.service_name)
        self.dead_queue = dead_queue(self.container.service_name)

    @property
    def connection(self) -> Connection:
        """Nameko's, with a reader that no message can stop."""
        connection = super().connection
        connection.transport_options = {
            **connection.transport_options,
            "frame_handler": partial(FrameReader, largest=self.largest),
        }
        return connection

    def publisher(self, channel: Any = None) -> Publisher:
        """Return the publisher; raises OperationalError where it, or `channel`, is lost."""
        if self._publisher is None or (channel is not None and channel.connection is None):
            raise OperationalError(CONNECTION_LOST)
        return self._publisher

    # Connecting

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Prepare a new connection; called by kombu before it consumes."""
        connection = channel.connection
        transport = connection.transport
        receive = transport._quick_recv  # py-amqp's buffered reader, which asks for no byte ahead
        transport._quick_recv = lambda size: receive(max(size, READ_AHEAD))
        self._writes = GatheredWrites(transport.sock)
        transport._write = self._writes.write
        serializer = self.container.config.get(SERIALIZER_CONFIG_KEY, DEFAULT_SERIALIZER)
        self._publisher = Publisher(connection, serializer, self.limit)
        self._prepare(channel)
        for provider in self._providers:
            self._consumers[provider] = self._consumer(consumer_cls, provider)
        self._consume_beside(connection)
        return self._consumers.values()

    def _prepare(self, channel: Any) -> None:
        channel.message_to_python = partial(Message, channel=channel, largest=self.largest)

    def _consumer(self, consumer_cls: Any, provider: Any) -> Any:
        receive = partial(self._on_message, provider)
        consumer = consumer_cls(queues=[provider.queue], on_message=receive, accept=self.accept)
        consumer.qos(prefetch_count=self.prefetch_count)
        return consumer

    def _consume_beside(self, connection: Any) -> None:
        """Consume what a service can do without, where the broker does not allow it."""
        self._suspects = None
        if self._providers:
            self._optional(connection, "suspects and dead letters", self._consume_suspects)
        if QueueConsumer.hears_cancellations in (None, self):
            self._optional(connection, "events of cancelled jobs", self._consume_cancellations)

    def _optional(self, connection: Any, what: str, consume: Callable[[Any], None]) -> None:
        channel = connection.channel()
        self._prepare(channel)
        try:
            consume(channel)
        except connection.channel_errors as error:
            logger.warning("%s goes without %s: %s", self.container.service_name, what, error)
            with suppress(*connection.channel_errors):
                channel.close()

    def _consume_suspects(self, channel: Any) -> None:
        self.dead_queue(channel).declare()
        receive = partial(self._on_message, None)
        consumer = Consumer(
            channel,
            [self.suspects_queue],
            on_message=receive,
            on_decode_error=self.on_decode_error,
            accept=self.accept,
        )
        consumer.qos(prefetch_count=1)
        consumer.consume()
        self._suspects = consumer

    def _consume_cancellations(self, channel: Any) -> None:
        Consumer(
            channel, [events_queue()], no_ack=True, on_message=cancellations.on_event
        ).consume()
        QueueConsumer.hears_cancellations = self

    @contextmanager
    def extra_context(self, connection: Any, channel: Any) -> Iterator[None]:
        try:
            yield
        finally:
            self._lose_connection()

    def _lose_connection(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.lose()
        if QueueConsumer.hears_cancellations is self:
            QueueConsumer.hears_cancellations = None
        self._orphans.extend((_fingerprint(each), each) for each in self._in_hand.values())
        self._in_hand.clear()
        self._held.clear()

    def _cancel_consumers_if_requested(self) -> None:
        if self._pending_remove_providers and self._suspects is not None:
            self._suspects.cancel()
            self._suspects = None
        super()._cancel_consumers_if_requested()

    def on_iteration(self) -> None:
        busy = self._held or self._copied
        self._cancel_consumers_if_requested()
        self._requeue_held()
        if self.stopping and not self._consumers and not busy:
            self.should_stop = True

    def _requeue_held(self) -> None:
        """Give back what came after a stop began; before its consumer ends it would come again."""
        held, self._held = self._held, []
        for message in held:
            if message.provider in self._consumers:
                self._held.append(message)
            else:
                self.container.spawn_managed_thread(partial(self.requeue_uncounted, message))

    def stop(self) -> None:
        """End when the workers have ended, which the container waits for before it calls this."""
        self.stopping = True
        super().stop()

    # Handling

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop what not even `Message` can read; called by kombu."""
        logger.error("a message cannot be read, and is rejected: %s", exc)
        with suppress(AMQPError, OSError):
            message.channel.basic_reject(message.delivery_tag, requeue=False)

    def _on_message(self, provider: Any, message: Any) -> None:
        self._in_hand[id(message)] = message
        message.provider, message.record, message.finished = provider, None, False
        name = f"handle_message[{message.delivery_info['routing_key']}]"
        self.container.spawn_managed_thread(partial(self._handle, message), identifier=name)

    def _handle(self, message: Any) -> None:
        eventlet.getcurrent().message = message
        try:
            if self._may_run(message):
                message.provider.handle_message(message.content(), message)
        except Exception as error:  # noqa: BLE001 - it is answered, or logged
            self._refuse(message, error)

    def _refuse(self, message: Any, error: Exception) -> None:
        """Answer a message that cannot be handled with an error, or log it."""
        try:
            self._refuse_to(message.provider, message, error)
        except Exception:
            logger.exception("a message is rejected: %s", _name(message))
            self._settle(message, message.reject)

    def _refuse_to(self, provider: Any, message: Any, error: Exception) -> None:
        if refuse := getattr(provider, "refuse", None):
            refuse(message, error)
        elif hasattr(provider, "get_reply_event"):  # somebody waits for this reply
            provider.handle_message({"result": None, "error": describe(error)}, message)
        else:
            logger.error("a message is rejected: %s: %s", _name(message), error, exc_info=error)
            self._settle(message, message.reject)

    def ack_message(self, message: Any) -> None:
        self._settle(message, message.ack)

    def requeue_message(self, message: Any) -> None:
        """Give a message back: in order, without counting that, or because its handler failed."""
        if getattr(message, "in_order", False):
            self.requeue_uncounted(message)
        else:
            self._settle(message, message.requeue)

    def requeue_uncounted(self, message: Any) -> None:
        """Have a message run later, here or elsewhere, without counting this delivery."""
        if message.channel.connection and not message.acknowledged:
            if message.record is None:
                message.record = Record.take(message, message.provider.queue.name)
            if not self._counts(message.provider) or not self._replace(
                message, message.record.queue
            ):
                self._settle(message, message.requeue)
        else:
            self._settle(message, message.requeue)

    def _settle(self, message: Any, settle: Callable[[], None]) -> None:
        message.finished = True
        self._in_hand.pop(id(message), None)
        if message.channel.connection and not message.acknowledged:
            with suppress(AMQPError, OSError):  # it is delivered again
                settle()
        message.body = message._decoded_cache = None

    # Counting deliveries

    def _may_run(self, message: Any) -> bool:
        """Tell whether a message is to be handled now; if not, it is settled."""
        redelivered = message.delivery_info["redelivered"]
        stopping = self.container.stop_requested
        if message.provider is not None and not (
            stopping or redelivered or HEADER in message.headers
        ):
            return True  # as nearly all
        self._wait_for_original(message)
        self._take_record(message)
        counts = self._counts(message.provider)
        orphan = self._orphan_of(message) if redelivered and counts else None
        if orphan is not None and not orphan.finished:
            self._resume(orphan, message)
        elif stopping and counts:
            self._held.append(message)
        elif message.provider is None:
            self._give_up(message, "its service takes nothing from that queue any more")
        elif redelivered and counts and orphan is None:
            return self._count(message)
        else:
            return True
        return False

    def _wait_for_original(self, message: Any) -> None:
        """Wait until what this is a copy of is settled: ended by the copy, it would come again."""
        if settled := self._copied.get(message.properties.get("message_id")):
            settled.wait()

    def _take_record(self, message: Any) -> None:
        queue = message.provider.queue.name if message.provider else ""
        message.record = record = Record.take(message, queue)
        if message.provider is None:
            found = (each for each in self._providers if each.queue.name == record.queue)
            message.provider = next(found, None)

    @staticmethod
    def _counts(provider: Any) -> bool:
        """Tell whether deliveries are counted: not where the broker does so, or nobody else is."""
        if provider is None:  # a suspect's, which has gone
            return True
        arguments = provider.queue.queue_arguments or {}
        return not (
            provider.queue.exclusive
            or "x-delivery-limit" in arguments
            or hasattr(provider, "get_reply_event")
        )

    def _orphan_of(self, message: Any) -> Any:
        """Return the message of which this is the next delivery to the same living process."""
        looks = _fingerprint(message)
        for number, (fingerprint, orphan) in enumerate(self._orphans):
            if fingerprint == looks:
                del self._orphans[number]
                return orphan
        return None

    def _resume(self, orphan: Any, message: Any) -> None:
        """Have the worker of `orphan`, which is still at it, go on for the new delivery."""
        logger.info("%s goes on after its connection was lost", _name(message))
        self._in_hand.pop(id(message), None)
        orphan.channel, orphan.delivery_tag = message.channel, message.delivery_tag
        self._in_hand[id(orphan)] = orphan

    def _count(self, message: Any) -> bool:
        record = message.record
        record.count += 1
        if record.count >= self.max_deliveries:
            self._give_up(message, f"it was delivered {record.count} times and never finished")
            return False
        suspect = record.count >= SUSPECT_COUNT and self._suspects is not None
        queues = [self.suspects_queue.name] if suspect else []
        for queue in (*queues, record.queue):
            if self._replace(message, queue):
                logger.warning("%s was delivered before: %s", _name(message), f"now in {queue}")
                return False
        return True

    def _replace(self, message: Any, queue: str) -> bool:
        """Put a copy of a message into a queue in its place; tell whether the broker has it."""
        copy, settled = copy_of(message, message.record), Event()
        name = copy.properties["message_id"]
        self._copied[name] = settled
        try:
            if not self._publish(message, copy, queue):
                return False
            self._settle(message, message.ack)
            self._writes.flush()
            return True
        finally:
            del self._copied[name]
            settled.send()

    def _publish(self, message: Any, copy: Any, queue: str) -> bool:
        """Publish a copy of a message to a queue; tell whether the broker has it for certain."""
        try:
            self.publisher(message.channel).send(copy, "", queue, mandatory=True)
        except NOT_PUBLISHED as error:
            logger.warning("no copy of %s in %s: %r", _name(message), queue, error)
            return False
        return True

    def _give_up(self, message: Any, reason: str) -> None:
        record, name = message.record, _name(message)
        error = RequestGivenUp(
            f"{name} is given up: {reason}. It is kept in the queue {self.dead_queue.name}. Look "
            "for what ended the processes in their logs, and mend that or ask for something else."
        )
        logger.error("%s", error)
        copy = copy_of(message, record, **{"x-nameko-given-up": str(error)})
        if self._publish(message, copy, self.dead_queue.name):
            if refuse := getattr(message.provider, "refuse", None):
                refuse(message, error)
            else:
                self._settle(message, message.ack)
        elif message.channel.connection:
            self._refuse(message, error)


def _fingerprint(message: Any) -> tuple[Any, ...]:
    info = message.delivery_info
    return info["routing_key"], message.properties.get("correlation_id"), hash(message.body)


def _name(message: Any) -> str:
    """Return what a message is called in logs and errors."""
    name = str(message.delivery_info["routing_key"])
    if correlation_id := message.properties.get("correlation_id"):
        name += f" {correlation_id}"
    return f"the request {name}"
