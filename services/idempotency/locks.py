"""Locks that are named by numbers, and released at once when their process dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

OFFSETS = 2**62
NAMESPACE = 0x6E616D656B6F  # makes our numbers differ from other programs' in the same database


class HeldError(Exception):
    """Another worker or process holds this lock."""


class Locks(Protocol):
    """Locks that are shared by all processes with the same store."""

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        """Hold the lock of a signed 64-bit number for the block; raise HeldError if it is held."""


class FileLocks:
    """Locks on one machine: bytes of a file that the operating system locks for a process.

    Make only one object for a file in each process: closing the file releases all its locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._held: set[int] = set()  # by this process, which the system would let lock them again

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
    """Advisory locks of one PostgreSQL database, each held by a session of its own.

    They do not work through a pooler that shares sessions between transactions.
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
