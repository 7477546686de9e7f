"""The SMTP connections, against a real server: kept, renewed, verified, never silent."""

import smtplib
import ssl
import subprocess
from types import SimpleNamespace

import pytest

from services.exceptions import ConfigurationError
from services.mail.message import accept
from services.mail.transport import MailTransport, RefusedError
from tests.services.mail.smtp_server import SmtpServer, tls_context


def make_transport(server=None, **config):
    defaults = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": server.port if server else 25}
    transport = MailTransport()
    transport.container = SimpleNamespace(
        config=defaults | {"MAIL_SENDER": "sender@example.org", "SMTP_TIMEOUT": 2} | config
    )
    transport.setup()
    return transport


def new_mail(contents="contents"):
    return accept("request", "name@example.com", "subject", contents)[0]


@pytest.fixture
def server():
    server = SmtpServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def transport(server):
    transport = make_transport(server)
    yield transport
    transport.stop()


def test_the_connection_is_kept(server, transport):
    for contents in ("one", "two", "three"):
        transport.send(new_mail(contents))
    assert [message.get_content().strip() for message in server.accepted] == ["one", "two", "three"]
    assert server.connections == 1
    assert server.envelopes[0].mail_from == "sender@example.org"
    assert server.envelopes[0].rcpt_tos == ["name@example.com"]


def test_the_connection_is_renewed_when_the_server_was_restarted(server, transport):
    transport.send(new_mail("one"))
    server.stop()
    server.start()
    transport.send(new_mail("two"))
    assert len(server.accepted) == 2
    assert server.connections == 2


def test_a_file_name_is_no_attachment(server, transport):
    transport.send(new_mail("/etc/passwd"))
    assert server.accepted[0].get_content().strip() == "/etc/passwd"
    assert b"root:" not in server.envelopes[0].content


def test_a_server_that_is_down(server, transport):
    server.stop()
    with pytest.raises(OSError, match="refused"):
        transport.send(new_mail())


@pytest.mark.parametrize("answers", ["data_answers", "recipient_answers"])
def test_a_temporary_failure_is_raised_and_the_next_try_succeeds(server, transport, answers):
    setattr(server, answers, ["451 later"])
    with pytest.raises(smtplib.SMTPException, match="451 later"):
        transport.send(new_mail())
    transport.send(new_mail())
    assert len(server.accepted) == 1


@pytest.mark.parametrize("answers", ["data_answers", "recipient_answers"])
def test_a_refusal_for_good_is_raised_and_the_connection_kept(server, transport, answers):
    setattr(server, answers, ["550 never"])
    with pytest.raises(RefusedError, match="550 never"):
        transport.send(new_mail())
    transport.send(new_mail())
    assert server.connections == 1


def test_a_server_that_hangs_in_data_costs_the_timeout_and_its_connection(server):
    transport = make_transport(server, SMTP_TIMEOUT=0.3)
    server.data_answers = ["hang"]
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        transport.send(new_mail())
    transport.send(new_mail())
    assert len(server.accepted) == 1
    assert server.connections == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def starttls_server(certificate):
    server = SmtpServer(tls_context=tls_context(*certificate), require_starttls=True)
    server.session_options |= {"authenticator": server.authenticate, "auth_required": True}
    server.start()
    yield server
    server.stop()


LOGIN = {"SMTP_TLS": "starttls", "SMTP_USER": "user"}


def test_starttls_with_a_password_file(starttls_server, certificate, tmp_path):
    (tmp_path / "password").write_text("right password\n")
    file = str(tmp_path / "password")
    options = LOGIN | {"SMTP_CA_FILE": certificate[0], "SMTP_PASSWORD_FILE": file}
    transport = make_transport(starttls_server, **options)
    transport.send(new_mail())
    transport.stop()
    assert starttls_server.logins == [("user", "right password")]
    assert len(starttls_server.accepted) == 1


def test_an_unknown_certificate_is_refused_before_any_password_is_sent(starttls_server):
    transport = make_transport(starttls_server, **LOGIN, SMTP_PASSWORD="right password")
    with pytest.raises(ssl.SSLCertVerificationError):
        transport.send(new_mail())
    assert starttls_server.logins == []


def test_a_wrong_password_is_no_refusal_of_the_mail(starttls_server, certificate, caplog):
    options = LOGIN | {"SMTP_CA_FILE": certificate[0], "SMTP_PASSWORD": "wrong password"}
    with caplog.at_level("DEBUG"), pytest.raises(smtplib.SMTPAuthenticationError) as raised:
        make_transport(starttls_server, **options).send(new_mail())
    assert "wrong password" not in caplog.text + str(raised.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"SMTP_TLS": "ssl"}, "use one of none, starttls, tls"),
        ({"SMTP_USER": "user"}, "has no password"),
        ({"SMTP_USER": "user", "SMTP_PASSWORD": "x", "SMTP_HOST": "mail.example"}, "unencrypted"),
    ],
)
def test_bad_configuration_is_refused_at_the_start(config, message):
    with pytest.raises(ConfigurationError, match=message):
        make_transport(**config)
