"""Sends mails to the SMTP server, over connections made by yagmail."""

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yagmail
from eventlet.semaphore import Semaphore
from nameko.extensions import DependencyProvider

from services.exceptions import ConfigurationError
from services.mail.message import Mail, to_mime

logger = logging.getLogger(__name__)

TLS_MODES = ("none", "starttls", "tls")
PERMANENT = range(500, 600)


class RefusedError(Exception):
    """The SMTP server refuses this mail for good."""


class MailTransport(DependencyProvider):
    """Provide `transport.send(mail)`.

    Configuration: SMTP_HOST, SMTP_PORT, SMTP_TLS ("none", "starttls" or "tls"; the certificate is
    always verified), SMTP_CA_FILE, SMTP_USER, SMTP_PASSWORD or SMTP_PASSWORD_FILE, SMTP_TIMEOUT
    (seconds for each answer of the server), SMTP_CONNECTIONS (at most, at a time), MAIL_SENDER.
    """

    def setup(self) -> None:
        config = self.container.config
        self.sender = str(config["MAIL_SENDER"])
        self.options = client_options(config)
        self.slots = Semaphore(int(config.get("SMTP_CONNECTIONS") or 4))
        self.idle: list[yagmail.SMTP] = []

    def get_dependency(self, worker_ctx: Any) -> "MailTransport":
        return self

    def send(self, mail: Mail) -> None:
        """Hand `mail` to the SMTP server.

        Raises `RefusedError` when it refuses the mail for good; any other exception means that
        another try may succeed.
        """
        message = to_mime(mail, self.sender).as_bytes()
        with self._client() as client:
            try:
                client.smtp.sendmail(self.sender, [mail.to], message)
            except smtplib.SMTPRecipientsRefused as error:
                code, reason = error.recipients[mail.to]
                raise refusal(code, reason) from error
            except smtplib.SMTPDataError as error:
                raise refusal(error.smtp_code, error.smtp_error) from error

    @contextmanager
    def _client(self) -> Iterator[yagmail.SMTP]:
        """Yield a connection that works; keep it for the next mail unless it fails."""
        with self.slots:
            client = self._kept_client() or self._new_client()
            try:
                yield client
            except RefusedError:
                self.idle.append(client)
                raise
            except BaseException:
                close(client)
                raise
            self.idle.append(client)

    def _kept_client(self) -> yagmail.SMTP | None:
        while self.idle:
            client = self.idle.pop()
            with suppress(smtplib.SMTPException, OSError):
                if client.smtp.noop()[0] == 250:  # noqa: PLR2004 - SMTP's "OK"
                    return client
            close(client)
        return None

    def _new_client(self) -> yagmail.SMTP:
        client = yagmail.SMTP(**self.options)
        client.user = self.options["user"]  # yagmail makes user@gmail.com of a plain login name
        client.set_logging(None)
        try:
            client.login()
        except BaseException:
            close(client)
            raise
        return client

    def stop(self) -> None:
        while self.idle:
            client = self.idle.pop()
            with suppress(smtplib.SMTPException, OSError):
                client.smtp.quit()
            close(client)


def close(client: yagmail.SMTP) -> None:
    """Close the connection without `QUIT`: a server that failed once may not answer that."""
    client.is_closed = True
    if client.smtp is not None:
        with suppress(OSError):
            client.smtp.close()


def refusal(code: int, reason: bytes | str) -> Exception:
    """Return the exception for a code with which the server refuses a recipient or a mail."""
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    kind = RefusedError if code in PERMANENT else smtplib.SMTPException
    return kind(f"The SMTP server said {code} {text}")


def client_options(config: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `yagmail.SMTP`, or raise `ConfigurationError`."""
    tls, user = str(config.get("SMTP_TLS") or "none"), str(config.get("SMTP_USER") or "")
    if tls not in TLS_MODES:
        raise ConfigurationError(f"SMTP_TLS is {tls!r}: use one of {', '.join(TLS_MODES)}.")
    host = str(config["SMTP_HOST"])
    if user and tls == "none" and not is_local(host):
        raise ConfigurationError(
            f"SMTP_TLS is none: the password of SMTP_USER would go to {host} unencrypted."
            " Use starttls or tls."
        )
    options = {
        "user": user or "-",
        "password": read_password(config) if user else "-",
        "smtp_skip_login": not user,
        "soft_email_validation": False,
        "host": host,
        "port": int(config["SMTP_PORT"]),
        "timeout": float(config.get("SMTP_TIMEOUT") or 60),
    }
    return options | tls_options(tls, config.get("SMTP_CA_FILE"))


def tls_options(tls: str, ca_file: str | None) -> dict[str, Any]:
    """Return the arguments of `yagmail.SMTP` that make it verify the server."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if tls == "tls":
        return {"smtp_ssl": True, "context": context}
    return {"smtp_ssl": False, "smtp_starttls": tls == "starttls" and {"context": context}}


def read_password(config: dict[str, Any]) -> str:
    """Return the password in SMTP_PASSWORD_FILE or SMTP_PASSWORD; raise `ConfigurationError`."""
    if path := config.get("SMTP_PASSWORD_FILE"):
        return Path(path).read_text().rstrip("\n")
    if password := config.get("SMTP_PASSWORD"):
        return str(password)
    raise ConfigurationError("SMTP_USER has no password: set SMTP_PASSWORD_FILE or SMTP_PASSWORD.")


def is_local(host: str) -> bool:
    """Return whether `host` is this machine."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
