"""A real SMTP server whose answers a test decides."""

import asyncio
import email
import email.policy
import ssl
import threading
import time
from collections import Counter
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from stack.ports import reserve


class Session(SMTP):
    """An SMTP session that registers its transport, so that the server can close it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.event_handler.transports.add(transport)

    def connection_lost(self, error: Any) -> None:
        self.event_handler.transports.discard(self.transport)
        super().connection_lost(error)


class SmtpServer(Controller):
    """Listens on a fixed port of 127.0.0.1 while it is started; remembers what it accepted.

    It replies with the entries of `data_answers` and `recipient_answers`, one after the other, then
    with "250 OK". For the entry "hang" it accepts the data and never replies.
    """

    def __init__(self, **session_options: Any) -> None:
        self.accepted: list[email.message.EmailMessage] = []
        self.envelopes: list[Any] = []
        self.tried: list[float] = []  # s on the monotonic clock: when mails were offered
        self.data_answers: list[str] = []
        self.recipient_answers: list[str] = []
        self.transports: set[Any] = set()
        self.peers: set[Any] = set()
        self.logins: list[tuple[str, str]] = []
        self.session_options = session_options
        self.closing = False
        self.is_up = False
        super().__init__(self, hostname="127.0.0.1", port=reserve())
        self.loop.close()

    def factory(self) -> SMTP:
        return Session(self, data_size_limit=2**25, **self.session_options)

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: Any, data: Any
    ) -> Any:
        login = (data.login.decode(), data.password.decode())
        self.logins.append(login)
        return AuthResult(success=login == ("user", "right password"), handled=False)

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.recipient_answers:
            return self.recipient_answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.tried.append(time.monotonic())
        self.peers.add(session.peer)
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer == "hang":
            await asyncio.sleep(3600)
        if self.closing:
            return "421 closing"
        if answer.startswith("250"):
            self.envelopes.append(envelope)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.accepted.append(message)
        return answer

    def start(self) -> None:
        self.closing, self.is_up = False, True
        self.loop = asyncio.new_event_loop()
        super().start()

    def stop(self, no_assert: bool = True) -> None:
        """Stop listening and close all connections, as a server at its shutdown does."""
        if not self.is_up:
            return
        self.is_up = False
        hung_up = threading.Event()
        self.loop.call_soon_threadsafe(self._hang_up, hung_up)
        assert hung_up.wait(10)
        super().stop(no_assert=no_assert)

    def _hang_up(self, done: threading.Event) -> None:
        self.closing = True
        for transport in list(self.transports):
            transport.close()
        self.loop.call_later(0.05, done.set)

    @property
    def connections(self) -> int:
        """Return how many connections have brought data."""
        return len(self.peers)

    def count(self) -> Counter[str]:
        """Return how often each Message-ID was accepted."""
        return Counter(str(message["Message-ID"]) for message in self.accepted)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context
