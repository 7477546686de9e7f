"""Fixtures: a mail server that fails on request, and the environment of a mail process."""

import pytest

from tests.services.mail.smtp_server import SmtpServer


@pytest.fixture
def server():
    server = SmtpServer()
    yield server
    server.stop()


@pytest.fixture
def environment(fresh_vhost, server, tmp_path):
    return {
        "AMQP_URI": fresh_vhost.amqp_uri,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_TIMEOUT": "2",
        "IDEMPOTENCY_URL": f"sqlite:///{tmp_path}/store",
        "MAIL_RETRY_DELAYS": "[0.1, 0.2, 0.4]",
    }
