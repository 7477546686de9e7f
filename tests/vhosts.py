"""Creates virtual hosts for the tests through RabbitMQ's management API."""

import os
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import requests

from tests.waiting import wait_until

ALL_RIGHTS = {"configure": ".*", "write": ".*", "read": ".*"}


class Management:
    """The management API of a broker.

    uri: its address, with user and password
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri.rstrip("/")
        self.user = urllib.parse.urlsplit(uri).username

    def request(self, method: str, path: str, **values: Any) -> Any:
        """Send the values as JSON; return the decoded response, or None if it is empty.

        :raises requests.HTTPError: the broker refuses the request
        """
        answer = requests.request(
            method, f"{self._uri}/api/{path}", timeout=30, json=values or None
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


class Vhost:
    """A virtual host and its queues and connections."""

    def __init__(self, amqp_uri: str = "", management_uri: str = "") -> None:
        """amqp_uri, management_uri: of the broker; by default, of the stack's broker."""
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self._broker = urllib.parse.urlsplit(amqp_uri or os.environ["AMQP_URI"])
        self._management = Management(management_uri or os.environ["RABBITMQ_MANAGEMENT_URI"])

    @property
    def port(self) -> int:
        assert self._broker.port
        return self._broker.port

    @property
    def amqp_uri(self) -> str:
        return self._broker._replace(path=f"/{self.name}").geturl()

    def uri(self, port: int | None = None, login: str | None = None) -> str:
        """Return its address by another port, or for another user: "name:password"."""
        user = login or f"{self._broker.username}:{self._broker.password}"
        address = f"{user}@{self._broker.hostname}:{port or self.port}"
        return self._broker._replace(netloc=address, path=f"/{self.name}").geturl()

    def create(self) -> None:
        self.request("PUT", f"vhosts/{self.name}")
        self.request("PUT", f"permissions/{self.name}/{self._management.user}", **ALL_RIGHTS)

    def delete(self) -> None:
        self.request("DELETE", f"vhosts/{self.name}")

    def request(self, method: str, path: str, **values: Any) -> Any:
        """Send a request to the management API, whose data are some seconds old."""
        return self._management.request(method, path, **values)

    # Queues: counted over AMQP, which is always up to date

    def messages(self, queue: str) -> int:
        """Count the ready messages of a queue; 0 if the queue does not exist."""
        return int(getattr(self._declared(queue), "message_count", 0))

    def consumers(self, queue: str) -> int:
        """Count the consumers of a queue; 0 if the queue does not exist."""
        return int(getattr(self._declared(queue), "consumer_count", 0))

    def has_queue(self, queue: str) -> bool:
        return self._declared(queue) is not None

    def _declared(self, queue: str) -> Any:
        """Return the broker's DeclareOk of a queue; None if the queue does not exist."""
        with kombu.Connection(self.amqp_uri) as connection, connection.channel() as channel:
            try:
                return channel.queue_declare(queue, passive=True)
            except connection.channel_errors:
                return None

    def queues(self) -> dict[str, dict[str, Any]]:
        """Return the management API's data of each queue, by name."""
        return {queue["name"]: queue for queue in self.request("GET", f"queues/{self.name}")}

    def reply_queues(self) -> list[str]:
        return [name for name in self.queues() if "reply" in name]

    def look(self, queue: str) -> Any:
        """Return the first message of a queue, which stays there."""
        how = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        return self.request("POST", f"{self._path(queue)}/get", **how)[0]

    def purge(self, queue: str) -> None:
        self.request("DELETE", f"{self._path(queue)}/contents")

    def delete_queue(self, queue: str) -> None:
        self.request("DELETE", self._path(queue))

    def _path(self, queue: str) -> str:
        return f"queues/{self.name}/{urllib.parse.quote(queue, safe='')}"

    # Connections

    def connections(self) -> list[dict[str, Any]]:
        return list(self.request("GET", f"vhosts/{self.name}/connections"))

    def client_connections(self) -> list[dict[str, Any]]:
        """Return the connections of the addon's `broker/` package, not those of services."""
        return [
            each
            for each in self.connections()
            if each["client_properties"]["product"] == "nameko_connector"
        ]

    def close_client_connections(self) -> int:
        """Close the addon's connections as a broker at its shutdown does; return their number."""
        names = [each["name"] for each in wait_until(self.client_connections)]
        for name in names:
            self.request("DELETE", f"connections/{name}")
        return len(names)

    def client_channels(self) -> int:
        """Count the channels of the addon's connections."""
        mine = {each["name"] for each in self.client_connections()}
        return sum(channel["connection_details"]["name"] in mine for channel in self.channels())

    def channels(self) -> list[dict[str, Any]]:
        return list(self.request("GET", f"vhosts/{self.name}/channels"))


@contextmanager
def new_vhost(amqp_uri: str = "", management_uri: str = "") -> Iterator[Vhost]:
    """Create a virtual host on a broker, the stack's by default, for the block."""
    vhost = Vhost(amqp_uri, management_uri)
    vhost.create()
    try:
        yield vhost
    finally:
        vhost.delete()
