"""Moves waiting mails back to `mail.outgoing` when their next try is due.

The broker could do this (message TTL and dead-lettering), but it reads the headers of the messages:
after one malformed header `x-death`, RabbitMQ 3.10 dead-letters no message at all any more.
"""

import logging
import time
from typing import Any

import eventlet
from nameko.extensions import DependencyProvider

from services.mail.message import Mail, read, unreadable
from services.mail.queues import DUE, Wait, queues_of
from services.messaging.reading import Message, tolerant_channel, tolerant_connection

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0  # between two looks at a queue, at most
SHORTEST_PAUSE = 0.02  # s between two looks, at least
LOOKS = 10  # at a queue while one mail waits in it, at least
MOST_AT_ONCE = 1_000  # mails moved from one queue before the next one's turn
PASS_SECONDS = 60.0  # for moving the due mails of a queue; then the connection counts as lost
AGAIN_SECONDS = 5.0  # before it connects again


class WaitingMails(DependencyProvider):
    """Moves each mail to `mail.outgoing` when it is due, in any number of processes.

    If a process dies meanwhile, the mail is in its old queue or in both; still it is sent once.
    """

    def start(self) -> None:
        self.queues = queues_of(self.container)
        if self.queues.waits:
            self.container.spawn_managed_thread(self._run, identifier="waiting mails")

    def _run(self) -> None:
        while True:
            try:
                with tolerant_connection(self.container.config) as connection:
                    self._move_for_ever(tolerant_channel(connection, self.container.config))
            except (Exception, eventlet.Timeout) as error:  # noqa: BLE001 - it tries again
                logger.warning("waiting mails cannot be moved: %s: %s", type(error).__name__, error)
            eventlet.sleep(AGAIN_SECONDS)

    def _move_for_ever(self, channel: Any) -> None:
        looks = dict.fromkeys(self.queues.waits, 0.0)  # when to look again
        while True:
            for wait, moment in looks.items():
                if moment <= time.monotonic():
                    with eventlet.Timeout(PASS_SECONDS):
                        self._move_due(wait, channel)
                    pause = min(LOOK_SECONDS, wait.seconds / LOOKS)
                    looks[wait] = time.monotonic() + max(SHORTEST_PAUSE, pause)
            eventlet.sleep(max(0.0, min(looks.values()) - time.monotonic()))

    def _move_due(self, wait: Wait, channel: Any) -> None:
        """Move the due mails of a queue: those before the first that is not due."""
        queue = wait.queue(channel)
        for _ in range(MOST_AT_ONCE):
            message = queue.get(no_ack=False)
            if message is None:
                return
            try:
                mail, due = read_waiting(message)
            except Exception as error:  # noqa: BLE001 - any error concerns this message only
                problem = str(error)
                self.queues.dead_letter(unreadable(message.body, problem), problem)
            else:
                if 0 < due - time.time() <= wait.seconds:
                    message.requeue()
                    return
                self.queues.send(mail)
            message.ack()


def read_waiting(message: Message) -> tuple[Mail, float]:
    """Return a mail and when to try it again, in seconds since the epoch.

    Raises an error of any kind if the message is not a waiting mail.
    """
    body = message.content()
    due = float(body.pop(DUE, 0.0))
    return read(body), due
