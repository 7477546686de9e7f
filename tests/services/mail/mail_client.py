"""Mail as its clients and recipients see it, and fixtures of a mail server that fails."""

from typing import Any

from tests.processes import cluster
from tests.services.mail.smtp_server import SmtpServer

TO = "name@example.com"


def send(environment: dict[str, str], *contents: str, to: str = TO) -> list[str]:
    """Ask for a mail of each of the contents; return their ids."""
    with cluster(environment["AMQP_URI"]) as rpc:
        return [rpc.mail.send(to, "subject", text)[0] for text in contents]


def received(server: SmtpServer) -> list[str]:
    """Return the contents of the mails that have arrived, sorted."""
    return sorted(message.get_content().strip() for message in server.accepted)


def dead_letters(environment: dict[str, str]) -> Any:
    """Return the dead letters, as an admin lists them."""
    with cluster(environment["AMQP_URI"]) as rpc:
        return rpc.mail.dead_letters()
