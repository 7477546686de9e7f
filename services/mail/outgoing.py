"""Consumes mails from `mail.outgoing`; any other message there becomes a dead letter.

It publishes the dead letters itself: the broker's own dead-lettering can fail because of a
message's headers, see `waiting`.
"""

import logging
from typing import Any

from nameko.messaging import Consumer

from services.exceptions import InvalidMailError
from services.mail.message import unreadable
from services.mail.queues import queues_of

logger = logging.getLogger(__name__)

MOST_DELIVERIES = 100  # of a mail; after each of them, the process ended before the ack
DELIVERIES = "x-delivery-count"  # the header in which a quorum queue counts earlier deliveries


class MailConsumer(Consumer):
    """Nameko's consumer, for the queue of mails that are to be delivered."""

    def handle_message(self, body: Any, message: Any) -> None:
        count = message.headers.get(DELIVERIES)
        if isinstance(count, int) and count >= MOST_DELIVERIES:
            error = InvalidMailError(f"It was delivered {count} times and never finished.")
            self.refuse(message, error)
        else:
            super().handle_message(body, message)

    def refuse(self, message: Any, error: BaseException) -> None:
        """Publish a message that cannot be handled to the dead letters."""
        try:
            problem = str(error)
            queues_of(self.container).dead_letter(unreadable(message.body, problem), problem)
        except Exception:
            logger.exception("a message of %s is requeued", self.queue.name)
            self.queue_consumer.requeue_message(message)
        else:
            self.queue_consumer.ack_message(message)


consume_mails = MailConsumer.decorator
