"""Which mails were sent, so that none is sent again when the broker delivers its message again."""

import fcntl
import logging
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nameko.extensions import DependencyProvider

logger = logging.getLogger(__name__)

KEPT_SECONDS = 90 * 24 * 3600
OFFSETS = 2**62


class HeldError(Exception):
    """Another worker or process is sending this very mail at this moment."""


class Ledger(DependencyProvider):
    """
    Gives a service `ledger.claim(id)`: shared by all processes of a machine.

    Configuration: MAIL_LEDGER, a folder. What was sent stands in an SQLite file. What is being
    sent is locked, as a byte of another file: the system gives the lock back when a process dies.
    """

    def setup(self) -> None:
        folder = Path(self.container.config["MAIL_LEDGER"])
        folder.mkdir(parents=True, exist_ok=True)
        self.held: set[str] = set()
        self.locks = (folder / "locks").open("w")
        self.sent = sqlite3.connect(folder / "sent.sqlite", isolation_level=None, timeout=10)
        self.sent.execute("PRAGMA journal_mode=WAL")
        self.sent.execute("PRAGMA synchronous=NORMAL")
        self.sent.execute("CREATE TABLE IF NOT EXISTS sent (id TEXT PRIMARY KEY, at REAL)")
        self.sent.execute("DELETE FROM sent WHERE at < ?", (time.time() - KEPT_SECONDS,))

    def get_dependency(self, worker_ctx: Any) -> "Ledger":
        return self

    @contextmanager
    def claim(self, mail_id: str) -> Iterator[bool]:
        """Hold the mail for the block, which learns whether it was sent. Raises `HeldError`."""
        if mail_id in self.held:
            raise HeldError
        offset = uuid.UUID(mail_id).int % OFFSETS
        try:
            fcntl.lockf(self.locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as error:
            raise HeldError from error
        self.held.add(mail_id)
        try:
            yield self.was_sent(mail_id)
        finally:
            self.held.discard(mail_id)
            fcntl.lockf(self.locks, fcntl.LOCK_UN, 1, offset)

    def was_sent(self, mail_id: str) -> bool:
        """Tell whether the mail stands in the ledger."""
        row = self.sent.execute("SELECT 1 FROM sent WHERE id = ?", (mail_id,)).fetchone()
        return row is not None

    def record(self, mail_id: str) -> None:
        """Note that the mail was sent. It never raises: the mail must not be sent again."""
        try:
            self.sent.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", (mail_id, time.time()))
        except sqlite3.Error:
            logger.exception("mail %s was sent, but the ledger cannot be written", mail_id)

    def stop(self) -> None:
        self.sent.close()
        self.locks.close()
