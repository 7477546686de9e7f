"""Mails that wait for their next try, and the service's moving them on when that is due.

The broker could move them (a time to live and dead-lettering), but reads the headers of what it
moves: RabbitMQ 3.10 stops moving anything, for everybody, after one odd header `x-death`.
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
SHORTEST_PAUSE = 0.02  # s between them, at least
LOOKS = 10  # at a queue while a mail waits in it, at least
MOST_AT_ONCE = 1_000  # mails moved from one queue before the next one's turn
PASS_SECONDS = 60.0  # that moving them may take, before the connection counts as lost
AGAIN_SECONDS = 5.0  # until the next connection


class WaitingMails(DependencyProvider):
    """Moves each mail to `mail.outgoing` when it is due; any number of processes may do so.

    One that dies at it leaves the mail where it was, or in both queues: it is sent once.
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
            except (Exception, eventlet.Timeout) as error:  # noqa: BLE001 - it is tried again
                logger.warning("waiting mails wait longer: %s: %s", type(error).__name__, error)
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
        """Move the mails at the head of a queue; behind the first that is not due, none is."""
        queue = wait.queue(channel)
        for _ in range(MOST_AT_ONCE):
            message = queue.get(no_ack=False)
            if message is None:
                return
            try:
                mail, due = read_waiting(message)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this message's alone
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

    Raises an error of any kind where the message is not a waiting mail.
    """
    body = message.content()
    due = float(body.pop(DUE, 0.0))
    return read(body), due
