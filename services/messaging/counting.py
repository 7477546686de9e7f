"""Counts redeliveries, to decide whether a delivered message is run now.

RabbitMQ redelivers a message when the process that had it has ended, and the message may be the
cause. So a redelivered message is not run at once. A copy with the count in a header replaces it:
the first time at the end of its queue, later in the service's queue of suspects, from which each
instance takes one message at a time. There a request that kills its process soon runs alone, so
that the requests that ran beside it are no longer blamed. After MAX_DELIVERIES it is answered with
RequestGivenUp and kept in the queue of dead letters.

These deliveries are not counted: a message that the same process gets again after it has lost the
connection, for which a worker that still runs it goes on; a message that the process had not read
when the connection was lost; a message that a process requeues on purpose, as a copy at the end of
the queue.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from eventlet.event import Event
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from nameko.amqp.publish import UndeliverableMessage

from services.exceptions import MessageTooLarge, PublicationRefused, RequestGivenUp
from services.messaging.deliveries import HEADER, Record, copy_of

if TYPE_CHECKING:
    from services.messaging.consuming import QueueConsumer

logger = logging.getLogger(__name__)

MAX_DELIVERIES = 5
SUSPECT_COUNT = 2  # failed deliveries after which a message is a suspect
MAX_ORPHANS = 1000
MAX_DEAD_LETTERS = 10_000
MAX_DEAD_BYTES = 1_000_000_000
NO_LIMIT = 1_000_000_000
UNMARKED = (
    "RabbitMQ no longer marks redelivered messages of %s: a message that ends its process is "
    "found more slowly. Stop the service, delete the queue once it is empty, and start the service."
)
NOT_PUBLISHED = (OperationalError, UndeliverableMessage, MessageTooLarge, PublicationRefused)


def suspects_queue(service: str) -> Queue:
    """Return the queue of the messages that may have ended processes of a service."""
    return Queue(
        f"nameko.suspects-{service}", durable=True, queue_arguments={"x-queue-type": "quorum"}
    )


def dead_queue(service: str) -> Queue:
    """Return the queue of the messages that a service has given up; it keeps the newest."""
    arguments = {
        "x-queue-type": "quorum",
        "x-max-length": MAX_DEAD_LETTERS,
        "x-max-length-bytes": MAX_DEAD_BYTES,
        "x-delivery-limit": NO_LIMIT,  # each look at a message counts; RabbitMQ 4's default is 20
    }
    return Queue(f"nameko.dead-{service}", durable=True, queue_arguments=arguments)


class DeliveryCounter:
    """Counts the redeliveries of one consumer's messages."""

    def __init__(self, consumer: QueueConsumer, service: str, max_deliveries: int) -> None:
        self.suspects_queue = suspects_queue(service)
        self.dead_queue = dead_queue(service)
        self._consumer = consumer
        self._max_deliveries = max_deliveries
        # (fingerprint, message) of messages whose connection was lost, to recognize them again.
        self._orphans: deque[tuple[Any, Any]] = deque(maxlen=MAX_ORPHANS)
        self._unread: Counter[str] = Counter()  # by queue: at most so many were lost unread
        self._copied: dict[Any, Event] = {}  # by a copy's id: sent when its original is settled
        self._unmarked: Counter[str] = Counter()  # by queue: next messages without a reliable mark

    @property
    def is_copying(self) -> bool:
        """Whether a copy is being published that replaces a message."""
        return bool(self._copied)

    def lose(self, in_hand: Collection[Any], prefetch_counts: Mapping[str, int]) -> None:
        """Note that the connection is lost, and that these messages will be redelivered.

        prefetch_counts: by queue, how many unacked messages the broker may have sent. Those that
        are not in hand were perhaps not read yet; those have ended no process.
        """
        self._orphans.extend((_fingerprint(each), each) for each in in_hand)
        self._unread = Counter(prefetch_counts) - Counter(each.source for each in in_hand)

    def _was_unread(self, message: Any) -> bool:
        """Return whether a redelivered message may have been lost unread by this process."""
        may_be = self._unread[message.source] > 0
        self._unread[message.source] -= may_be
        return may_be

    def first_of(self, queue: Any, provider: Any, accept: Any) -> Any:
        """Return the first message of a queue; check with it that redeliveries are marked.

        After a restart with messages that are not persistent in a classic queue, RabbitMQ 3.10 to
        4.x no longer marks redeliveries of that queue (`next_deliver_seq_id` in its
        rabbit_variable_queue is not incremented). Then the first messages that this process
        receives may have ended the process before it, and count as redelivered.
        """
        if not _counts(provider) or (first := queue.get(accept=accept)) is None:
            return None
        first.requeue()
        again = queue.get(accept=accept)
        if again is None or _fingerprint(again) != _fingerprint(first):
            return again  # another instance was faster
        if not again.delivery_info["redelivered"]:
            logger.error(UNMARKED, queue.name)
            self._unmarked[queue.name] = self._consumer.prefetch_count
        again.delivery_info["redelivered"] = first.delivery_info["redelivered"]
        return again

    def _is_redelivered(self, message: Any) -> bool:
        """Return whether a process may have had this message before."""
        if self._unmarked and message.provider is not None:
            queue = message.provider.queue.name
            if self._unmarked[queue] > 0:
                self._unmarked[queue] -= 1
                return True
        return bool(message.delivery_info["redelivered"])

    def may_run(self, message: Any) -> bool:
        """Return whether to handle a message now; if not, it was settled, held or resumed."""
        redelivered = self._is_redelivered(message)
        stopping = self._consumer.is_stopping
        if message.provider is not None and not (
            stopping or redelivered or HEADER in message.headers
        ):
            return True  # the usual case
        self._wait_for_original(message)
        self._take_record(message)
        counts = _counts(message.provider)
        orphan = self._orphan_of(message) if redelivered and counts else None
        if orphan is not None and not orphan.finished:
            logger.info("%s goes on after its connection was lost", name_of(message))
            self._consumer.resume(orphan, message)
        elif stopping and counts:
            self._consumer.hold(message)
        elif message.provider is None:
            self._give_up(message, "its service takes nothing from that queue any more")
        elif redelivered and counts and orphan is None and not self._was_unread(message):
            return self._count(message)
        else:
            return True
        return False

    def requeue_uncounted(self, message: Any) -> bool:
        """Replace a message by a copy with the same count; return whether that was done."""
        if message.record is None:
            message.record = Record.take(message, message.provider.queue.name)
        return _counts(message.provider) and self._replace(message, message.record.queue)

    def _wait_for_original(self, message: Any) -> None:
        """Wait until the original of this copy is acked, so that only one of them can run."""
        if settled := self._copied.get(message.properties.get("message_id")):
            settled.wait()

    def _take_record(self, message: Any) -> None:
        queue = message.provider.queue.name if message.provider else ""
        message.record = record = Record.take(message, queue)
        if message.provider is None:
            message.provider = self._consumer.provider_of(record.queue)

    def _orphan_of(self, message: Any) -> Any:
        """Return the earlier delivery of this message to this process, or None; forget it."""
        looks = _fingerprint(message)
        for number, (fingerprint, orphan) in enumerate(self._orphans):
            if fingerprint == looks:
                del self._orphans[number]
                return orphan
        return None

    def _count(self, message: Any) -> bool:
        record = message.record
        record.count += 1
        if record.count >= self._max_deliveries:
            self._give_up(message, f"it was delivered {record.count} times and never finished")
            return False
        is_suspect = record.count >= SUSPECT_COUNT and self._consumer.optional.takes_suspects
        queues = [self.suspects_queue.name] if is_suspect else []
        for queue in (*queues, record.queue):
            if self._replace(message, queue):
                logger.warning("%s was delivered before: now in %s", name_of(message), queue)
                return False
        return True

    def _replace(self, message: Any, queue: str) -> bool:
        """Publish a copy to a queue and ack the message; return whether that was done."""
        copy, settled = copy_of(message, message.record), Event()
        name = copy.properties["message_id"]
        self._copied[name] = settled
        try:
            if not self._publish(message, copy, queue):
                return False
            self._consumer.ack_message(message)
            self._consumer.flush()
            return True
        finally:
            del self._copied[name]
            settled.send()

    def _publish(self, message: Any, copy: Any, queue: str) -> bool:
        """Publish a copy of a message to a queue; return whether the broker confirmed it."""
        try:
            self._consumer.publisher(message.channel).send(copy, "", queue, mandatory=True)
        except NOT_PUBLISHED as error:
            logger.warning("cannot publish a copy of %s to %s: %r", name_of(message), queue, error)
            return False
        return True

    def _give_up(self, message: Any, reason: str) -> None:
        why = f"{name_of(message)} is given up: {reason}."
        copy = copy_of(message, message.record, **{"x-nameko-given-up": why})
        copy.properties.pop("expiration", None)  # a dead letter does not expire
        is_kept = self._publish(message, copy, self.dead_queue.name)
        where = f"It is kept in the queue {self.dead_queue.name}." if is_kept else "It is not kept."
        error = RequestGivenUp(
            f"{why} {where} Look for what ended the processes in their logs, and repair that, or "
            "request something else."
        )
        logger.error("%s", error)
        if is_kept:
            if refuse := getattr(message.provider, "refuse", None):
                refuse(message, error)
            else:
                self._consumer.ack_message(message)
        elif message.channel.connection:
            self._consumer.refuse(message, error)


def _counts(provider: Any) -> bool:
    """Return whether deliveries count: not for exclusive queues, replies, or a broker's limit."""
    if provider is None:  # of a suspect whose handler no longer exists
        return True
    arguments = provider.queue.queue_arguments or {}
    return not (
        provider.queue.exclusive or "x-delivery-limit" in arguments or is_for_reply(provider)
    )


def is_for_reply(provider: Any) -> bool:
    """Return whether a provider receives replies, which workers wait for."""
    return hasattr(provider, "get_reply_event")


def _fingerprint(message: Any) -> tuple[Any, ...]:
    info = message.delivery_info
    return info["routing_key"], message.properties.get("correlation_id"), hash(message.body)


def name_of(message: Any) -> str:
    """Return the name of a message for logs and errors."""
    name = str(message.delivery_info["routing_key"])
    if correlation_id := message.properties.get("correlation_id"):
        name += f" {correlation_id}"
    return f"the request {name}"
