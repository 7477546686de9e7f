"""Whether the broker answers and the services are there."""

from typing import Any

from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.messaging import Connection

from services.api.models import Health, ServiceHealth

QUEUES = {"compute": "rpc-compute", "mail": "rpc-mail", "mail_delivery": "mail.outgoing"}
TIMEOUT = 2.0


def check_health(config: dict[str, Any]) -> Health:
    """Ask the broker, over a connection of its own, who consumes the services' queues."""
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
    """Return who consumes `queue`, and what waits there; zeros where there is no such queue."""
    try:
        declared = connection.channel().queue_declare(queue, passive=True)
    except connection.channel_errors:
        return ServiceHealth(instances=0, waiting=0)
    return ServiceHealth(instances=declared.consumer_count, waiting=declared.message_count)
