"""The relay's sessions in PostgreSQL: for transactions, and for LISTEN.

If a process freezes or its machine is lost, its sessions keep their locks. So each session of
a relay has timeouts, after which PostgreSQL ends it, and an application_name by which another relay
can find and end it.
"""

from __future__ import annotations

import contextlib
import os
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

SIGNALING_SECONDS = 1.0  # between two checks for changed modules or caches
LISTENER_CHECK_SECONDS = 5.0  # between two statements that show that this process is alive
STATEMENT_SECONDS = 10  # that one statement of the main loop may take
DATABASE_LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
SESSION = {
    "application_name": "",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "2s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}


def _name_sessions() -> None:
    """Name the sessions of this process, a fork or not."""
    SESSION["application_name"] = f"{RELAY_NAME}{uuid.uuid4().hex[:12]}"


_name_sessions()
os.register_at_fork(after_in_child=_name_sessions)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection to the database is lost, not only the transaction."""
    of_statement = (*CONFLICTS, psycopg2.errors.QueryCanceled)
    return isinstance(error, DATABASE_LOST) and not isinstance(error, of_statement)


class Database:
    """An Odoo database, whose registry is reloaded when other processes change modules.

    Single-threaded. statement_seconds: the longest time of a statement; 0 for no limit.
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
        """Yield the model `nameko.job` in a transaction; commit it, or roll back on an error."""
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
        """Yield a cursor for `job_store`, in a READ COMMITTED transaction."""
        with self.jobs(read_committed=True) as jobs:
            yield jobs.env.cr

    def _cursor(self) -> Any:
        """Return the open cursor: opening a new one takes as long as a small transaction."""
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
        """Roll back and close the cursor; the next transaction opens a new one."""
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
    """Terminate a session of this database."""
    _, info = connection_info_for(database)
    with contextlib.closing(psycopg2.connect(**info)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


class Listener:
    """A session that listens for notifications, and shows by a shared lock that a relay runs."""

    def __init__(self, database: str, *, is_relay: bool = True) -> None:
        _, info = connection_info_for(database)
        self._connection = psycopg2.connect(**info)
        keep_alive(self._connection)
        self._connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        for name, value in SESSION.items():
            self._execute("SELECT set_config(%s, %s, false)", name, value)
        self._execute(f"LISTEN {CHANNEL}")
        if is_relay:
            self._execute(f"SELECT pg_advisory_lock_shared({locks.RELAY})")

    def _execute(self, statement: str, *values: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
        self._checked_at = time.monotonic()

    def fileno(self) -> int:
        """Return the socket's file descriptor, for `select`."""
        return int(self._connection.fileno())

    def heard(self) -> set[str]:
        """Return the payloads of new notifications; show that this process is alive."""
        if time.monotonic() > self._checked_at + LISTENER_CHECK_SECONDS:
            self._execute("SELECT 1")
        self._connection.poll()
        payloads = {notify.payload for notify in self._connection.notifies}
        self._connection.notifies.clear()
        return payloads

    def close(self) -> None:
        self._connection.close()
