"""The broker's queues of mails.

`mail.outgoing` has the mails to deliver. `mail.waiting.<milliseconds>` has those to try again after
that delay; `WaitingMails` then moves them back. `mail.dead` has those that were given up. All are
durable; all but `mail.dead` are quorum queues, replicated in a cluster. Needs RabbitMQ 3.10 or
later.
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

DUE = "due"  # key in the body: when to try a waiting mail, in seconds since the epoch
UNLIMITED = 1_000_000_000  # deliveries: each look at a waiting mail counts as one
DEAD = Queue("mail.dead", routing_key="mail.dead", durable=True)
OUTGOING = Queue(
    "mail.outgoing",
    routing_key="mail.outgoing",
    durable=True,
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": UNLIMITED,  # the module `outgoing` limits the deliveries
    },
)


class Wait(NamedTuple):
    """A delay, and the queue of the mails that wait for it, ordered by when they are due."""

    seconds: float
    queue: Queue


def wait_of(seconds: float) -> Wait:
    """Return the `Wait` for a delay in seconds."""
    name = f"mail.waiting.{round(seconds * 1000)}"
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": UNLIMITED}
    queue = Queue(name, routing_key=name, durable=True, queue_arguments=arguments)
    return Wait(seconds, queue)


def queues_of(container: Any) -> "MailQueues":
    """Return the `MailQueues` of a container's service."""
    return next(each for each in container.dependencies if isinstance(each, MailQueues))


class MailQueues(DependencyProvider):
    """Provide `queues`, whose methods return when the broker has confirmed the message.

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
        """Publish `mail` to the queue of mails to deliver."""
        self._publish(mail, OUTGOING)

    def retry(self, mail: Mail, error: str) -> None:
        """Publish `mail` to wait for its next try, or dead-letter it after the last one."""
        mail.attempts += 1
        mail.error = error
        if mail.attempts > len(self.waits):
            self.dead_letter(mail, f"given up after {mail.attempts} tries: {error}")
            return
        self._wait(mail, self.waits[mail.attempts - 1])
        MAILS.labels("deferred").inc()
        logger.warning("mail %s is put off, try %s failed: %s", mail.id, mail.attempts, error)

    def postpone(self, mail: Mail) -> None:
        """Publish `mail` to wait for the first delay, without counting a try."""
        self._wait(mail, self.waits[0])

    def _wait(self, mail: Mail, wait: Wait) -> None:
        self._publish(mail, wait.queue, **{DUE: time.time() + wait.seconds})

    def dead_letter(self, mail: Mail, error: str) -> None:
        """Publish `mail` with its error to the dead letters."""
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
