"""The broker's queues through which a mail goes.

`mail.outgoing` has what is to be delivered, `mail.waiting.<milliseconds>` what is tried again after
that delay, when `WaitingMails` moves it back, and `mail.dead` what is given up. All are durable,
and replicated in a cluster. Needs RabbitMQ 3.10 or later.
"""

import logging
import time
from dataclasses import asdict
from typing import Any, NamedTuple

from nameko.amqp.publish import Publisher, UndeliverableMessage, get_connection
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.extensions import DependencyProvider
from nameko.rpc import Queue

from services.mail.message import Mail
from services.metrics import MAILS

logger = logging.getLogger(__name__)

DUE = "due"  # when a waiting mail is to be tried, in seconds since the epoch
MANY = 1_000_000_000  # deliveries; a look at a waiting mail counts as one
DEAD = Queue("mail.dead", routing_key="mail.dead", durable=True)
OUTGOING = Queue(
    "mail.outgoing",
    routing_key="mail.outgoing",
    durable=True,
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": MANY,  # `outgoing` has the limit
    },
)


class Wait(NamedTuple):
    """A delay, and the queue of the mails that are tried again after it, in that order."""

    seconds: float
    queue: Queue


def wait_of(seconds: float) -> Wait:
    """Return the delay of so many seconds with its queue."""
    name = f"mail.waiting.{round(seconds * 1000)}"
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": MANY}
    queue = Queue(name, routing_key=name, durable=True, queue_arguments=arguments)
    return Wait(seconds, queue)


def queues_of(container: Any) -> "MailQueues":
    """Return the queues that a service's container provides."""
    return next(each for each in container.dependencies if isinstance(each, MailQueues))


class MailQueues(DependencyProvider):
    """Provide `queues`: every method returns when the broker has confirmed.

    Configuration: MAIL_RETRY_DELAYS, the seconds before the second try, the third and so on.
    """

    def setup(self) -> None:
        config = self.container.config
        self.waits = [wait_of(float(seconds)) for seconds in config["MAIL_RETRY_DELAYS"]]
        self.connection_options = (
            config[AMQP_URI_CONFIG_KEY],
            config.get(AMQP_SSL_CONFIG_KEY),
            config.get(LOGIN_METHOD_CONFIG_KEY),
        )
        uri, ssl, login_method = self.connection_options
        self.publisher = Publisher(uri, ssl=ssl, login_method=login_method, mandatory=True)
        self.declare()

    def get_dependency(self, worker_ctx: Any) -> "MailQueues":
        return self

    def declare(self) -> None:
        with get_connection(*self.connection_options) as connection:
            for queue in (OUTGOING, DEAD, *(wait.queue for wait in self.waits)):
                queue(connection.default_channel).declare()

    def send(self, mail: Mail) -> None:
        """Put `mail` where it is delivered from."""
        self._publish(mail, OUTGOING)

    def retry(self, mail: Mail, error: str) -> None:
        """Have `mail` tried again after its next delay, or dead-letter it after the last."""
        mail.attempts += 1
        mail.error = error
        if mail.attempts > len(self.waits):
            self.dead_letter(mail, f"given up after {mail.attempts} tries: {error}")
            return
        self._wait(mail, self.waits[mail.attempts - 1])
        MAILS.labels("deferred").inc()
        logger.warning("mail %s is put off, try %s failed: %s", mail.id, mail.attempts, error)

    def put_off(self, mail: Mail) -> None:
        """Look at `mail` again after the first delay, as if nothing had been tried."""
        self._wait(mail, self.waits[0])

    def _wait(self, mail: Mail, wait: Wait) -> None:
        self._publish(mail, wait.queue, **{DUE: time.time() + wait.seconds})

    def dead_letter(self, mail: Mail, error: str) -> None:
        """Put `mail` among the dead letters."""
        mail.error = error
        self._publish(mail, DEAD)
        MAILS.labels("dead").inc()
        logger.error("mail %s is dead: %s (see docs/services.md, dead letters)", mail.id, error)

    def _publish(self, mail: Mail, queue: Queue, **more: float) -> None:
        body = asdict(mail) | more
        try:
            self.publisher.publish(body, routing_key=queue.name)
        except UndeliverableMessage:  # somebody deleted the queue
            self.declare()
            self.publisher.publish(body, routing_key=queue.name)
