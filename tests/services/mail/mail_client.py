"""Sends mails and lists dead letters over RPC, and reads the mails that the server received."""

from typing import Any

from tests.processes import cluster
from tests.services.mail.smtp_server import SmtpServer

TO = "name@example.com"


def send(environment: dict[str, str], *contents: str, to: str = TO) -> list[str]:
    """Request a mail for each of the contents; return the ids of the mails."""
    with cluster(environment["AMQP_URI"]) as rpc:
        return [rpc.mail.send(to, "subject", text)[0] for text in contents]


def received(server: SmtpServer) -> list[str]:
    """Return the contents of the mails that have arrived, sorted."""
    return sorted(message.get_content().strip() for message in server.accepted)


def dead_letters(environment: dict[str, str]) -> Any:
    """Return the dead letters, as an admin lists them."""
    with cluster(environment["AMQP_URI"]) as rpc:
        return rpc.mail.dead_letters()
