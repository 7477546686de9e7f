"""The services `mail`, which accepts mails, and `mail_delivery`, which delivers them."""

import logging
from itertools import islice
from typing import Any

from services.dependencies import RequestId
from services.entrypoints import rpc
from services.exceptions import InvalidMailError, MailError, UnknownDeadLetterError
from services.idempotency import HeldError, Idempotent
from services.mail.dead_letters import DeadLetters
from services.mail.message import Mail, accept, read, unreadable
from services.mail.outgoing import consume_mails
from services.mail.queues import OUTGOING, MailQueues
from services.mail.transport import MailTransport, RefusedError
from services.mail.waiting import WaitingMails
from services.metrics import MAILS

logger = logging.getLogger(__name__)
MOST_LISTED = 5_000  # dead letters in one answer


class MailService:
    """Accepts mails, and lets an admin retry or drop those that could not be delivered."""

    name = "mail"
    queues = MailQueues()
    dead = DeadLetters()
    request = RequestId()
    once = Idempotent()

    @rpc(expected_exceptions=MailError)
    def send(self, to: str | list[str], subject: str, contents: str) -> list[str]:
        """Accept a mail of plain text to one address or several; return the id of each mail.

        Accepted means that the broker keeps it on disk until it is delivered or given up. Each
        recipient gets a separate mail, and only one even if the request is run again. Raises a
        `MailError`.
        """
        return self.once(self._accept, to, subject, contents)

    def _accept(self, to: Any, subject: Any, contents: Any) -> list[str]:
        mails = accept(self.request, to, subject, contents)
        for mail in mails:
            self.queues.send(mail)
            MAILS.labels("accepted").inc()
        return [mail.id for mail in mails]

    @rpc(expected_exceptions=MailError)
    def dead_letters(self, most: int = MOST_LISTED) -> list[dict[str, Any]]:
        """Return id, to, subject, accepted, attempts and error of each mail that was given up.

        A message that is no mail has an empty `to`; it can only be dropped. most: the maximum
        number of mails, the oldest first.
        """
        fields = ("id", "to", "subject", "accepted", "attempts", "error")
        mails = islice(self.dead.each(), min(max(0, int(most)), MOST_LISTED))
        return [{field: getattr(mail, field) for field in fields} for mail in mails]

    @rpc(expected_exceptions=MailError)
    def retry_dead(self, mail_id: str) -> None:
        """Deliver a dead letter again, with as many tries as a new mail."""
        if not isinstance(mail_id, str) or not self._retry(mail_id):
            raise self._cannot_retry(mail_id)

    @rpc(expected_exceptions=MailError)
    def retry_all_dead(self) -> int:
        """Deliver all dead letters again that are mails; return their number."""
        return self._retry(None)

    @rpc(expected_exceptions=MailError)
    def drop_dead(self, mail_id: str) -> None:
        """Delete a dead letter."""
        dropped = list(self.dead.take(str(mail_id)))
        if not dropped:
            raise _unknown(mail_id)
        logger.warning("mail %s was dropped from the dead letters", mail_id)

    def _cannot_retry(self, mail_id: Any) -> UnknownDeadLetterError:
        """Return the error that says why a dead letter cannot be delivered again."""
        if any(mail.id == mail_id for mail in self.dead.each()):
            return UnknownDeadLetterError(
                "This is no mail, so it cannot be sent. It can only be dropped."
            )
        return _unknown(mail_id)

    def _retry(self, mail_id: str | None) -> int:
        count = 0
        for mail in self.dead.take(mail_id, to_send=True):
            mail.attempts = 0
            self.queues.send(mail)
            count += 1
        return count


class MailDeliveryService:
    """Delivers the mails that the service `mail` has accepted."""

    name = "mail_delivery"
    queues = MailQueues()
    waiting = WaitingMails()
    transport = MailTransport()
    once = Idempotent()

    @consume_mails(OUTGOING, requeue_on_error=True)
    def deliver(self, body: Any) -> None:
        """Deliver one mail, or publish it to another queue: to wait, or as a dead letter.

        The message is acked only when the mail was sent or the broker has confirmed it in the
        other queue.
        """
        try:
            mail = read(body)
        except InvalidMailError as error:
            self.queues.dead_letter(unreadable(body, str(error)), str(error))
            return
        self._deliver(mail)

    def _deliver(self, mail: Mail) -> None:
        try:
            with self.once.claim(mail.id) as claim:
                if claim.value is not None:
                    MAILS.labels("duplicate").inc()
                    return
                self.transport.send(mail)
                claim.keep("sent")
            MAILS.labels("sent").inc()
            logger.info("mail %s was sent", mail.id)
        except HeldError:
            self.queues.postpone(mail)
        except RefusedError as error:
            self.queues.dead_letter(mail, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail must not be lost
            self.queues.retry(mail, f"{type(error).__name__}: {error}")


def _unknown(mail_id: Any) -> UnknownDeadLetterError:
    return UnknownDeadLetterError(
        f"No dead letter has the id {str(mail_id)[:100]!r}: see dead_letters()."
    )
