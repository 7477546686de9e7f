"""Reads, returns and removes dead letters: mails that could not be delivered."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import ResourceLocked
from nameko.extensions import DependencyProvider

from services.exceptions import DeadLettersBusyError, InvalidMailError
from services.mail.message import MAX_ERROR, MAX_UNREADABLE, Mail, read, unreadable
from services.mail.queues import DEAD
from services.messaging.reading import has_many_values, tolerant_connection

LOCK = "mail.dead.lock"
LONGEST_WAIT = 5.0  # seconds to wait while another admin holds the lock
PAUSE = 0.1  # seconds between two tries: RabbitMQ tells nobody when a lock becomes free


class DeadLetters(DependencyProvider):
    """Provide access to the dead letters, to one admin at a time."""

    def get_dependency(self, worker_ctx: Any) -> "DeadLetters":
        return self

    def each(self) -> Iterator[Mail]:
        """Yield all dead letters, oldest first, and leave them in the queue."""
        with self._opened() as channel:
            yield from (mail for mail, _ in self._each(channel))

    def take(self, mail_id: str | None = None, *, to_send: bool = False) -> Iterator[Mail]:
        """Yield the dead letter `mail_id`, or all; ack each when the caller asks for the next.

        to_send: skip the letters that are no mails, and leave them in the queue.
        """
        with self._opened() as channel:
            for mail, tag in self._each(channel):
                if mail_id in (None, mail.id) and (mail.to or not to_send):
                    yield mail
                    channel.basic_ack(tag)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open a separate connection; closing it requeues all letters that were not acked."""
        with tolerant_connection(self.container.config) as connection:
            channel = _locked_channel(connection)
            yield channel
            channel.queue_delete(LOCK)

    @staticmethod
    def _each(channel: Any) -> Iterator[tuple[Mail, int]]:
        count = channel.queue_declare(DEAD.name, passive=True).message_count
        for _ in range(count):
            if message := channel.basic_get(DEAD.name):
                yield read_letter(message.body), message.delivery_tag


def _locked_channel(connection: Any) -> Any:
    """Return a channel that holds the lock; raise DeadLettersBusyError after LONGEST_WAIT."""
    latest = time.monotonic() + LONGEST_WAIT
    while True:
        channel = connection.channel()  # a new one each time: a refused declaration closes it
        try:
            channel.queue_declare(LOCK, exclusive=True, durable=False)
        except ResourceLocked as error:
            if time.monotonic() > latest:
                raise DeadLettersBusyError(
                    "Somebody else works on the dead letters now: try again in a moment."
                ) from error
            time.sleep(PAUSE)
        else:
            return channel


def read_letter(body: bytes | str) -> Mail:
    """Return the mail in a dead letter; if it is no mail, a `Mail` without a recipient."""
    if has_many_values(body):
        return unreadable(body, "The message has too many values.")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        return unreadable(body, f"The message is no JSON: {error}")
    try:
        return read(content)
    except InvalidMailError as error:
        kept = isinstance(content, dict) and content.get("to") == "" and "contents" in content
        return kept_letter(content) if kept else unreadable(content, str(error))


def kept_letter(content: dict[str, Any]) -> Mail:
    """Return the dead letter that `unreadable` has made of a message that is no mail."""
    texts: dict[str, Any] = {
        name: str(content.get(name, ""))[:MAX_ERROR]
        for name in ("id", "to", "subject", "accepted", "error")
    }
    return Mail(**texts, contents=str(content["contents"])[:MAX_UNREADABLE])
