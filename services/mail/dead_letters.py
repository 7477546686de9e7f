"""The dead letters, for an admin at the nameko shell."""

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
LONGEST_WAIT = 5.0  # seconds, for somebody else who is at the dead letters
PAUSE = 0.1  # seconds between two tries to lock


class DeadLetters(DependencyProvider):
    """Provide `dead_letters`, to one admin at a time."""

    def get_dependency(self, worker_ctx: Any) -> "DeadLetters":
        return self

    def each(self) -> Iterator[Mail]:
        """Yield all dead letters, oldest first, and leave them where they are."""
        with self._opened() as channel:
            yield from (mail for mail, _ in self._each(channel))

    def take(self, mail_id: str | None = None, *, to_send: bool = False) -> Iterator[Mail]:
        """Yield the dead letter `mail_id`, or each; it is gone when the next one is asked for.

        to_send: leave those where they are that are no mails.
        """
        with self._opened() as channel:
            for mail, tag in self._each(channel):
                if mail_id in (None, mail.id) and (mail.to or not to_send):
                    yield mail
                    channel.basic_ack(tag)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open a connection of its own: when it is closed, what was looked at is back in place."""
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
    """Return a channel of the connection that alone has the lock; wait for it if need be."""
    latest = time.monotonic() + LONGEST_WAIT
    while True:
        channel = connection.channel()  # a refused declaration closes it
        try:
            channel.queue_declare(LOCK, exclusive=True, durable=False)
        except ResourceLocked as error:
            if time.monotonic() > latest:
                raise DeadLettersBusyError(
                    "Somebody else is at the dead letters: try again in a moment."
                ) from error
            time.sleep(PAUSE)
        else:
            return channel


def read_letter(body: bytes | str) -> Mail:
    """Return the mail that a dead letter holds; one without a recipient if it holds none."""
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
    """Return a dead letter that was written by `unreadable`, as it was."""
    texts: dict[str, Any] = {
        name: str(content.get(name, ""))[:MAX_ERROR]
        for name in ("id", "to", "subject", "accepted", "error")
    }
    return Mail(**texts, contents=str(content["contents"])[:MAX_UNREADABLE])
