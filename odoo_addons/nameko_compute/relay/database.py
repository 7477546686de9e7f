"""The relay's side of PostgreSQL: transactions, and a session that hears when jobs are made."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from odoo import SUPERUSER_ID, api, models
from odoo.modules.registry import Registry
from odoo.sql_db import connection_info_for

from ..models.nameko_job import CHANNEL
from ..models.nameko_job_cron import RELAY_LOCK
from .watchdog import keep_alive

SIGNALING_SECONDS = 1.0  # between two looks whether modules or caches have changed
LISTENER_CHECK_SECONDS = 10.0
LOCK_TIMEOUT = "2s"  # for a record that somebody else holds: its job is tried again later
LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)


class Database:
    """One Odoo database, whose registry follows the changes that other processes make."""

    def __init__(self, name: str) -> None:
        self.name = name
        vars(threading.current_thread())["dbname"] = name  # for Odoo's log
        self._registry = Registry(name)
        self._checked_at = 0.0
        self._cr: Any = None

    @contextmanager
    def jobs(self, *, read_committed: bool = False) -> Iterator[models.BaseModel]:
        """Give the jobs in a transaction, which is committed unless an error leaves it."""
        self._follow_signals()
        cr = self._cursor()
        try:
            jobs = api.Environment(cr, SUPERUSER_ID, {})["nameko.job"]
            if read_committed:
                jobs.read_committed()
            else:
                cr.execute("SET LOCAL lock_timeout = %s", [LOCK_TIMEOUT])
            yield jobs
            cr.commit()  # pylint: disable=invalid-commit
        except BaseException:
            self.close()
            raise

    def _cursor(self) -> Any:
        """The one cursor, kept: to open one takes as long as a small transaction."""
        if self._cr is None:
            self._cr = self._registry.cursor()
            keep_alive(self._cr.connection)
        return self._cr

    def close(self) -> None:
        """Roll back and give the connection back; the next transaction takes another one."""
        cr, self._cr = self._cr, None
        if cr is not None:
            cr.close()

    def _follow_signals(self) -> None:
        now = time.monotonic()
        if now > self._checked_at + SIGNALING_SECONDS:
            registry = self._registry.check_signaling()
            if registry is not self._registry:
                self.close()
            self._registry = registry
            self._checked_at = now


class Listener:
    """A session that is told of new jobs and shows others that a relay runs."""

    def __init__(self, database: str) -> None:
        _, info = connection_info_for(database)
        self._connection = psycopg2.connect(**info)
        keep_alive(self._connection)
        self._connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        self._execute(f"LISTEN {CHANNEL}")
        self._execute(f"SELECT pg_advisory_lock_shared({RELAY_LOCK})")

    def _execute(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
        self._checked_at = time.monotonic()

    def fileno(self) -> int:
        """The socket, for `select`."""
        return int(self._connection.fileno())

    def heard(self) -> set[str]:
        """Take what has been heard; look from time to time whether the session lives."""
        if time.monotonic() > self._checked_at + LISTENER_CHECK_SECONDS:
            self._execute("SELECT 1")
        self._connection.poll()
        payloads = {notify.payload for notify in self._connection.notifies}
        self._connection.notifies.clear()
        return payloads

    def close(self) -> None:
        self._connection.close()
