"""The health check: whether the broker answers and each service has an instance."""

import threading
import time
from typing import Any

from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.messaging import Connection

from services.api.models import Health, ServiceHealth

QUEUES = {"compute": "rpc-compute", "mail": "rpc-mail", "mail_delivery": "mail.outgoing"}
TIMEOUT = 2.0
KEPT_SECONDS = 1.0


class HealthCheck:
    """Checks at most once a second and in one thread at a time, for any number of requests."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.lock = threading.Lock()
        self.found: Health | None = None
        self.looked_at = 0.0

    def __call__(self) -> Health:
        """Return a result of the last second; while another thread checks, the latest result."""
        if self.found and (self._is_fresh() or self.lock.locked()):
            return self.found
        with self.lock:
            if not self.found or not self._is_fresh():
                self.found = check_health(self.config)
                self.looked_at = time.monotonic()
            return self.found

    def _is_fresh(self) -> bool:
        return time.monotonic() < self.looked_at + KEPT_SECONDS


def check_health(config: dict[str, Any]) -> Health:
    """Count the consumers and messages of the services' queues, over a new connection."""
    connection = Connection(
        config[AMQP_URI_CONFIG_KEY],
        ssl=config.get(AMQP_SSL_CONFIG_KEY),
        login_method=config.get(LOGIN_METHOD_CONFIG_KEY),
        connect_timeout=TIMEOUT,
    )
    nobody = {name: ServiceHealth(instances=0, waiting=0) for name in QUEUES}
    with connection:
        try:
            connection.connect()
        except connection.connection_errors as error:
            return Health(healthy=False, broker=type(error).__name__, services=nobody)
        found = {name: look_at(connection, queue) for name, queue in QUEUES.items()}
    healthy = all(service.instances for service in found.values())
    return Health(healthy=healthy, broker="reachable", services=found)


def look_at(connection: Any, queue: str) -> ServiceHealth:
    """Return how many consumers and messages `queue` has; zeros if it does not exist."""
    try:
        declared = connection.channel().queue_declare(queue, passive=True)
    except connection.channel_errors:
        return ServiceHealth(instances=0, waiting=0)
    return ServiceHealth(instances=declared.consumer_count, waiting=declared.message_count)
