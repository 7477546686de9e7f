"""A session in PostgreSQL for which this process never waits: each step says what it waits for."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

from odoo.sql_db import connection_info_for

from ..database import SESSION
from ..watchdog import keep_alive

ANSWER_SECONDS = 10.0  # for a connection or a statement, before it counts as lost
SETTINGS = {**SESSION, "statement_timeout": "5s"}
EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}
T = TypeVar("T")


@dataclass
class Wait:
    """What a task waits for: a socket, if any, or a moment of `time.monotonic`."""

    until: float
    fileno: int = -1
    events: int = 0


Steps = Generator[Wait, None, T]


class Session:
    """An asynchronous session. Its methods are steps of a task, which yield what they wait for."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._connection: Any = None
        self._wait = Wait(0.0)

    def open(self) -> Steps[None]:
        """Connect, and set timeouts.

        :raises psycopg2.Error: PostgreSQL refuses that
        :raises TimeoutError: it does not answer
        """
        _, info = connection_info_for(self._database)
        self._connection = psycopg2.connect(**info, async_=True)
        yield from self._finish()
        keep_alive(self._connection)
        settings = "".join(f"SET {name} = '{value}';" for name, value in SETTINGS.items())
        yield from self.rows(settings)

    def rows(self, statement: str) -> Steps[list[tuple[Any, ...]]]:
        """Execute a statement; return its rows.

        :raises psycopg2.Error: it fails
        :raises TimeoutError: PostgreSQL does not answer
        """
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            yield from self._finish()
            return list(cursor.fetchall()) if cursor.description else []

    def idle(self, wait: Wait) -> Steps[set[str]]:
        """Wait until `wait.until` or a notification; return the payloads of notifications."""
        wait.fileno, wait.events = self._connection.fileno(), select.POLLIN
        self._wait = wait
        yield wait
        self._connection.poll()
        heard = {notify.payload for notify in self._connection.notifies}
        self._connection.notifies.clear()
        return heard

    def _finish(self) -> Steps[None]:
        until = time.monotonic() + ANSWER_SECONDS
        while (state := self._connection.poll()) != POLL_OK:
            if time.monotonic() > until:
                raise TimeoutError(f"PostgreSQL does not answer for {ANSWER_SECONDS:g} s")
            self._wait = Wait(until, self._connection.fileno(), EVENTS[state])
            yield self._wait

    def close(self) -> None:
        """End the session; the task that waits for it goes on, with an error."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._wait.until, self._wait.fileno = 0.0, -1

    def abandon(self) -> None:
        """Close the socket in a fork, without ending the session, which is the parent's."""
        if self._connection is not None and not self._connection.closed:
            with contextlib.suppress(psycopg2.Error, OSError):
                os.close(self._connection.fileno())
