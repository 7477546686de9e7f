"""The relay's side of PostgreSQL: transactions, and a session that hears when jobs are made.

A process that is frozen, or on a machine that is lost, keeps its sessions, and what they have
locked. So each session of a relay has timeouts, by which PostgreSQL ends it, and a name by which
another relay finds it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from odoo import SUPERUSER_ID, api, models
from odoo.modules.registry import Registry
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY as CONFLICTS
from odoo.sql_db import connection_info_for

from ..job_store.dispatch import set_read_committed
from ..job_store.relays import CHANNEL, RELAY_NAME
from ..tools import locks
from .watchdog import keep_alive

SIGNALING_SECONDS = 1.0  # between two looks whether modules or caches have changed
LISTENER_CHECK_SECONDS = 5.0  # by which others see that this process is not frozen
STATEMENT_SECONDS = 10  # that the main loop waits for one statement
DATABASE_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
NAME = f"{RELAY_NAME}{uuid.uuid4().hex[:12]}"
SESSION = {
    "application_name": NAME,
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "2s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection to the database is gone, and not only this transaction."""
    of_statement = (*CONFLICTS, psycopg2.errors.QueryCanceled)
    return isinstance(error, DATABASE_LOST) and not isinstance(error, of_statement)


class Database:
    """One Odoo database, whose registry follows the changes that other processes make.

    For one thread. statement_seconds: that a statement may take, 0 for any time.
    """

    def __init__(self, name: str, statement_seconds: float = STATEMENT_SECONDS) -> None:
        self.name = name
        vars(threading.current_thread())["dbname"] = name  # for Odoo's log
        self._settings = {**SESSION, "statement_timeout": f"{statement_seconds:g}s"}
        self._registry = Registry(name)
        self._checked_at = 0.0
        self._cr: Any = None
        self.pid = 0  # of the session in PostgreSQL

    @contextmanager
    def jobs(
        self, *, read_committed: bool = False, lock_timeout: str = ""
    ) -> Iterator[models.BaseModel]:
        """Return the jobs in a transaction, which is committed unless an error leaves it."""
        try:
            cr = self._cursor()
            jobs = api.Environment(cr, SUPERUSER_ID, {})["nameko.job"]
            if read_committed:
                set_read_committed(cr)
            if lock_timeout:
                cr.execute("SET LOCAL lock_timeout = %s", [lock_timeout])
            yield jobs
            cr.commit()  # pylint: disable=invalid-commit
        except BaseException:
            self.close()
            raise

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """Return a cursor for `job_store`, in a transaction of level READ COMMITTED."""
        with self.jobs(read_committed=True) as jobs:
            yield jobs.env.cr

    def _cursor(self) -> Any:
        """The one cursor, kept: to open one takes as long as a small transaction."""
        if time.monotonic() > self._checked_at + SIGNALING_SECONDS:
            self._follow_signals()
        return self._opened()

    def _opened(self) -> Any:
        if self._cr is None:
            self._cr = self._registry.cursor()
            keep_alive(self._cr.connection)
            for name, value in self._settings.items():
                self._cr.execute("SELECT set_config(%s, %s, false)", [name, value])
            self._cr.commit()  # pylint: disable=invalid-commit
            self.pid = self._cr.connection.get_backend_pid()
        return self._cr

    def close(self) -> None:
        """Roll back and give the connection back; the next transaction takes another one."""
        cr, self._cr = self._cr, None
        if cr is not None:
            with contextlib.suppress(*DATABASE_LOST):
                cr.close()

    def _follow_signals(self) -> None:
        registry = Registry(self.name).check_signaling(self._opened())
        if registry is self._registry:
            self._cr.rollback()
        else:
            self.close()
        self._registry = registry
        self._checked_at = time.monotonic()


def end_session(database: str, pid: int) -> None:
    """Have PostgreSQL end a session of this database, whatever it does."""
    _, info = connection_info_for(database)
    with contextlib.closing(psycopg2.connect(**info)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


class Listener:
    """A session that hears of new jobs (LISTEN) and shows others that a relay runs."""

    def __init__(self, database: str) -> None:
        _, info = connection_info_for(database)
        self._connection = psycopg2.connect(**info)
        keep_alive(self._connection)
        self._connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        for name, value in SESSION.items():
            self._execute("SELECT set_config(%s, %s, false)", name, value)
        self._execute(f"LISTEN {CHANNEL}")
        self._execute(f"SELECT pg_advisory_lock_shared({locks.RELAY})")

    def _execute(self, statement: str, *values: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
        self._checked_at = time.monotonic()

    def fileno(self) -> int:
        """The socket, for `select`."""
        return int(self._connection.fileno())

    def heard(self) -> set[str]:
        """Take what has been heard; show from time to time that this process is not frozen."""
        if time.monotonic() > self._checked_at + LISTENER_CHECK_SECONDS:
            self._execute("SELECT 1")
        self._connection.poll()
        payloads = {notify.payload for notify in self._connection.notifies}
        self._connection.notifies.clear()
        return payloads

    def close(self) -> None:
        self._connection.close()
