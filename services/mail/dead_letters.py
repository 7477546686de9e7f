"""The dead letters, for an admin at the nameko shell."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import ResourceLocked
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.extensions import DependencyProvider
from nameko.messaging import Connection

from services.exceptions import DeadLettersBusyError
from services.mail.message import Mail
from services.mail.queues import DEAD

LOCK = "mail.dead.lock"


class DeadLetters(DependencyProvider):
    """Gives a service `dead_letters`, to one admin at a time."""

    def get_dependency(self, worker_ctx: Any) -> "DeadLetters":
        return self

    def list(self) -> list[Mail]:
        """Return all dead letters, oldest first, and leave them where they are."""
        with self._opened() as channel:
            return [mail for mail, _ in self._each(channel)]

    def take(self, mail_id: str | None = None) -> Iterator[Mail]:
        """Yield the dead letter `mail_id`, or each; it is gone when the next one is asked for."""
        with self._opened() as channel:
            for mail, tag in self._each(channel):
                if mail_id in (None, mail.id):
                    yield mail
                    channel.basic_ack(tag)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open a connection of its own: when it is closed, what was looked at is back in place."""
        config = self.container.config
        connection = Connection(
            config[AMQP_URI_CONFIG_KEY],
            ssl=config.get(AMQP_SSL_CONFIG_KEY),
            login_method=config.get(LOGIN_METHOD_CONFIG_KEY),
        )
        with connection:
            channel = connection.channel()
            try:
                channel.queue_declare(LOCK, exclusive=True, durable=False)
            except ResourceLocked as error:
                raise DeadLettersBusyError(
                    "Somebody else is at the dead letters: try again in a moment."
                ) from error
            yield channel
            channel.queue_delete(LOCK)

    @staticmethod
    def _each(channel: Any) -> Iterator[tuple[Mail, int]]:
        count = channel.queue_declare(DEAD.name, passive=True).message_count
        for _ in range(count):
            if message := channel.basic_get(DEAD.name):
                yield Mail(**json.loads(message.body)), message.delivery_tag
