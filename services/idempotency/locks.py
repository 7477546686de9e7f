"""Locks by number, which are free at once when their process dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

OFFSETS = 2**62
NAMESPACE = 0x6E616D656B6F  # the numbers differ from those of others in the same database


class HeldError(Exception):
    """Another worker or process does this very thing at this moment."""


class Locks(Protocol):
    """Locks that all processes see which share a store."""

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        """Hold a number of 64 bits, signed, for the block; raise HeldError if somebody has it."""


class FileLocks:
    """Locks of one machine: bytes of a file. The operating system keeps them by process.

    One object a file and process: closing the file once would give back all its locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._held: set[int] = set()  # by this process, to which the system would grant them again

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        offset = number % OFFSETS
        if offset in self._held:
            raise HeldError
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as error:
            raise HeldError from error
        self._held.add(offset)
        try:
            yield
        finally:
            self._held.discard(offset)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, offset)


class AdvisoryLocks:
    """Locks of one PostgreSQL database, held by a session each.

    Not through a pooler that shares sessions between transactions.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        number ^= NAMESPACE
        with self._engine.connect() as session:
            if not session.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}):
                raise HeldError
            try:
                yield
            finally:
                try:
                    session.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})
                except DBAPIError:
                    with suppress(DBAPIError):
                        session.invalidate()  # the lock ends with the session
