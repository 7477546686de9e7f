"""List the dead letters in queues, send them again or drop them.

To list messages, consume them without acknowledging them. When the channel is closed, the broker
requeues them in their original positions.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import amqp

from ..amqp.config import BrokerConfig
from ..amqp.connecting import explained
from ..amqp.link import Link
from ..amqp.publishing import Confirm, ConfirmingPublisher
from .dead_letter import Address, DeadLetter, copy_of, letter_of

MOST_LETTERS = 500  # of a queue, the oldest
LOOK_SECONDS = 10.0  # for all queues
MOST_CHECKS = 10  # that acknowledged letters are gone
QUIET_SECONDS = 0.5  # without a message: the queue is taken to be empty
WAIT_SECONDS = 2.0  # for one message
ANSWER_SECONDS = 5.0  # for one answer or confirm of the broker's


@dataclass
class Found:
    """The letters, the queues that have more, and the unreadable queues with the reason."""

    letters: list[DeadLetter] = field(default_factory=list)
    with_more: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass
class Handled:
    """The keys of letters that were handled, and of those that could not be sent, by reason."""

    done: list[str] = field(default_factory=list)
    unroutable: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)


class DeadLettersLink(Link):
    """A connection that lists dead letters, sends them again and drops them."""

    def look(self, queues: Collection[str]) -> Found:
        """Return the oldest letters of each queue; they stay in the queue."""
        until = time.monotonic() + LOOK_SECONDS
        found = Found()
        for queue in queues:
            try:
                with self._taken(queue) as (_channel, count, waiting):
                    messages = self._arriving(count, waiting, until)
                    letters = [letter_of(queue, message) for message in messages]
            except amqp.ChannelError as error:  # concerns this queue only
                found.unreadable[queue] = str(error.reply_text)
                continue
            found.letters += letters
            if len(letters) < count:
                found.with_more.append(queue)
        return found

    def handle(self, queue: str, keys: Collection[str], *, send: bool) -> Handled:
        """Drop the letters with these keys; with `send`, publish them first and await the confirms.

        Letters that are not among the oldest MOST_LETTERS stay in the queue.
        """
        wanted, seen, handled = Counter(keys), Counter[str](), Handled()
        with contextlib.suppress(amqp.ChannelError):  # the queue refuses consumers
            with self._taken(queue) as (channel, _count, waiting):
                for message in self._until_quiet(waiting):
                    letter = letter_of(queue, message)
                    seen[letter.key] += 1
                    if wanted[letter.key] > 0:
                        wanted[letter.key] -= 1
                        if not send or self._send(letter, message, handled):
                            channel.basic_ack(message.delivery_info["delivery_tag"])
                            handled.done.append(letter.key)
            done = Counter(handled.done)
            for _ in range(MOST_CHECKS if done else 0):
                if not self._acknowledge_again(queue, done, seen - done):
                    break
        return handled

    def _acknowledge_again(self, queue: str, done: Counter[str], left: Counter[str]) -> bool:
        """Acknowledge letters of `done` that are still there; return whether there were any.

        RabbitMQ delays acknowledgements to a slow quorum queue, and loses them when the channel is
        closed. Of equal letters, as many stay as `left` says.
        """
        left, were_there = Counter(left), False
        with self._taken(queue) as (channel, _count, waiting):
            for message in self._until_quiet(waiting):
                key = letter_of(queue, message).key
                if left[key] > 0:
                    left[key] -= 1
                elif done[key]:
                    channel.basic_ack(message.delivery_info["delivery_tag"])
                    were_there = True
        return were_there

    @contextlib.contextmanager
    def _taken(self, queue: str) -> Iterator[tuple[Any, int, deque[Any]]]:
        """Consume the oldest messages of a queue; requeue those that are not acknowledged.

        Yield the channel that settles them, the number of messages in the queue, and a deque to
        which messages are added when they arrive.

        :raises amqp.ChannelError: the broker refuses to let this client consume
        """
        channel = self._connection.channel()
        waiting: deque[Any] = deque()
        self.allow(ANSWER_SECONDS)
        try:
            count = channel.queue_declare(queue, passive=True).message_count
            channel.basic_qos(0, MOST_LETTERS, False)
            channel.basic_consume(queue, callback=waiting.append)
        except amqp.NotFound:  # which has closed the channel
            yield channel, 0, waiting
            return
        yield channel, count, waiting
        self.allow(ANSWER_SECONDS)
        channel.close()

    def _arriving(self, count: int, waiting: deque[Any], until: float) -> Iterator[Any]:
        """Yield the oldest messages as they arrive; fewer if another consumer holds some."""
        for _ in range(min(count, MOST_LETTERS)):
            if not self._receive(waiting, min(WAIT_SECONDS, until - time.monotonic())):
                return
            yield waiting.popleft()

    def _until_quiet(self, waiting: deque[Any]) -> Iterator[Any]:
        """Yield the oldest messages, including those that the broker is still requeueing."""
        until = time.monotonic() + LOOK_SECONDS
        while self._receive(waiting, min(QUIET_SECONDS, until - time.monotonic())):
            yield waiting.popleft()

    def _receive(self, waiting: deque[Any], seconds: float) -> bool:
        """Wait for a message; return whether one has arrived."""
        self.allow(seconds)
        try:
            while not waiting:
                self._connection.drain_events()
        except TimeoutError:
            return False
        return True

    def _send(self, letter: DeadLetter, message: Any, handled: Handled) -> bool:
        """Publish a letter to its original destination; return whether that succeeded."""
        if message.body is None:
            handled.too_large.append(letter.key)
            return False
        if letter.address is None or not self._publish(message, letter.address):
            handled.unroutable.append(letter.key)
            return False
        return True

    def _publish(self, message: Any, address: Address) -> bool:
        """Publish a copy; return whether the broker confirmed that a queue has it."""
        outcome: list[Confirm] = []
        channel = self._connection.channel()
        publisher = ConfirmingPublisher(channel, lambda _name, confirm: outcome.append(confirm))
        self.allow(ANSWER_SECONDS)
        publisher.select()
        publisher.publish(copy_of(message, address), address.exchange, address.routing_key)
        try:
            while publisher.is_waiting:
                self._connection.drain_events()
        except amqp.ChannelError:  # there is no such exchange
            return False
        channel.close()
        return outcome == [Confirm.TAKEN]


@contextlib.contextmanager
def dead_letters(config: BrokerConfig) -> Iterator[DeadLettersLink]:
    """Yield a connection for dead letters; raise BrokerUnreachable or AccessRefused."""
    with DeadLettersLink(config) as link, explained(config):
        yield link
