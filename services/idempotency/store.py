"""Keeps results by key in SQLite or PostgreSQL, and locks a key while its work is done."""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Float,
    Index,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from services.exceptions import ConfigurationError
from services.idempotency.locks import AdvisoryLocks, FileLocks, HeldError, Locks

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
FORGET_EVERY = 60.0  # s
FORGOTTEN_AT_ONCE = 1000  # rows
DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg2"}
KEPT = Table(
    "nameko_idempotency",
    MetaData(),
    Column("key", String(64), primary_key=True),  # SHA-256
    Column("name", String(200), nullable=False),  # of the work, for people who read the table
    Column("value", Text, nullable=False),
    Column("kept_at", Float, nullable=False),  # seconds since 1970
)
KEPT_AT = Index("nameko_idempotency_kept_at", KEPT.c.kept_at)


class Claim:
    """A key that a block holds. `value`: what an earlier block kept for the key, or None."""

    def __init__(self, store: "Store", key: str, name: str, value: str | None) -> None:
        self._store, self._key, self._name, self.value = store, key, name, value

    def keep(self, value: str) -> None:
        """Keep the value that says that the work was done.

        If that fails, it is logged and not raised: after an error the work would be done again.
        """
        try:
            self._store.keep(self._key, value, self._name)
        except SQLAlchemyError:
            logger.exception("%s ran, but its result cannot be kept: it may run again", self._name)


class Store:
    """Values by key, in a database that processes share; see `open_store`."""

    def __init__(self, engine: Engine, locks: Locks, days: float) -> None:
        self._engine, self._locks = engine, locks
        self._seconds = days * 86400
        self._forget_at = 0.0
        self._is_ready = False

    @contextmanager
    def claim(self, key: str, name: str) -> Iterator[Claim]:
        """Hold a key for the block.

        :param name: of the work, for people who read the table
        :raises HeldError: somebody else holds it
        :raises SQLAlchemyError: the database cannot be read
        """
        digest = hashlib.sha256(key.encode(errors="surrogatepass"))
        number = int.from_bytes(digest.digest()[:8], "big", signed=True)
        self._prepare()
        with self._locks.hold(number):
            yield Claim(self, digest.hexdigest(), name, self._find(digest.hexdigest()))

    def keep(self, key: str, value: str, name: str) -> None:
        """Keep a value for a key; do not replace an existing value."""
        row = {"key": key, "value": value, "name": name[:200], "kept_at": time.time()}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(KEPT).values(row))
        except IntegrityError:
            logger.warning("%s ran twice: the session that had claimed it was lost", name)

    def _find(self, key: str) -> str | None:
        with self._engine.connect() as connection:
            return connection.scalar(select(KEPT.c.value).where(KEPT.c.key == key))

    def _prepare(self) -> None:
        """Create the table the first time, and delete old rows every FORGET_EVERY seconds."""
        if not self._is_ready:
            self._create()
            self._is_ready = True
        if time.monotonic() > self._forget_at:
            self._forget_at = time.monotonic() + FORGET_EVERY
            self.forget()

    def _create(self) -> None:
        try:
            self._create_once()
        except DBAPIError:  # another process created it at the same moment
            self._create_once()

    def _create_once(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(CreateTable(KEPT, if_not_exists=True))
            connection.execute(CreateIndex(KEPT_AT, if_not_exists=True))

    def forget(self) -> None:
        """Delete the oldest of the expired rows, at most FORGOTTEN_AT_ONCE."""
        old = (
            select(KEPT.c.key)
            .where(KEPT.c.kept_at < time.time() - self._seconds)
            .order_by(KEPT.c.kept_at)
            .limit(FORGOTTEN_AT_ONCE)
        )
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(KEPT).where(KEPT.c.key.in_(old)))
        except SQLAlchemyError as error:
            logger.warning("old rows of %s cannot be deleted: %s", KEPT.name, error)


@lru_cache
def open_store(url: str, days: float) -> Store:
    """Return the store at a SQLAlchemy URL; each process has one for each URL.

    It connects when it is first used.

    :param days: how long it keeps the values
    :raises ConfigurationError: the URL names neither a file of SQLite nor a database of PostgreSQL
    """
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError) as error:
        raise ConfigurationError(
            "IDEMPOTENCY_URL names no database that is supported: write "
            "sqlite:///folder/file or postgresql://user:password@host/database."
        ) from error
    parsed = parsed.set(drivername=f"{parsed.get_backend_name()}+{driver}")
    if parsed.get_backend_name() == "postgresql":
        return _postgresql_store(parsed, days)
    return _sqlite_store(parsed, days)


def _postgresql_store(url: URL, days: float) -> Store:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        max_overflow=-1,  # as many as there are workers
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    return Store(engine, AdvisoryLocks(engine), days)


def _sqlite_store(url: URL, days: float) -> Store:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("IDEMPOTENCY_URL names no file: write sqlite:///folder/file.")
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": CONNECT_SECONDS})
    event.listen(engine, "connect", _tune)
    return Store(engine, FileLocks(path.with_name(f"{path.name}.locks")), days)


def _tune(connection: Any, _record: Any) -> None:
    """Let SQLite's readers and writers not block each other, nor wait for each disk write."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


__all__ = ["Claim", "HeldError", "Store", "open_store"]
