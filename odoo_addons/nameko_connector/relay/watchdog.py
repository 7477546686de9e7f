"""Detect that a connection to PostgreSQL has silently died, also during a query.

libpq waits for an answer for ever. In the relay's process every wait goes through `wait`, which
asks over another connection whether the query still runs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, set_wait_callback

from odoo.sql_db import connection_info_for

QUIET_SECONDS = 10.0  # without an answer, before the check
PROBE_SECONDS = 5.0
KEEPALIVE = {
    socket.TCP_KEEPIDLE: 10,  # s
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 15_000,  # ms
}

_thread = threading.local()  # probing: whether this thread is checking another connection


def _is_probing() -> bool:
    return getattr(_thread, "probing", False)


def keep_alive(connection: Any) -> None:
    """Set TCP keepalive, so that the kernel detects a vanished peer."""
    with socket.socket(fileno=_duplicate(connection)) as handle:
        if handle.family in (socket.AF_INET, socket.AF_INET6):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE.items():
                handle.setsockopt(socket.IPPROTO_TCP, option, value)


def _duplicate(connection: Any) -> int:
    return socket.dup(connection.fileno())


def install() -> None:
    """Watch all connections of this process; call it only in a relay's process."""
    set_wait_callback(wait)


def wait(connection: Any) -> None:
    """Wait until an operation on the connection is done; a wait callback of psycopg2.

    Raise OperationalError if the connection has died; psycopg2 then closes it.
    """
    while (state := connection.poll()) != POLL_OK:
        if not _ready(connection, state, PROBE_SECONDS if _is_probing() else QUIET_SECONDS):
            _check(connection, state)


def _ready(connection: Any, state: int, seconds: float) -> bool:
    readers = [connection] if state == POLL_READ else []
    writers = [connection] if state == POLL_WRITE else []
    return any(select.select(readers, writers, [], seconds))


def _check(connection: Any, state: int) -> None:
    """Raise OperationalError unless the server still runs the query, or has just answered."""
    if _is_probing() or not (_works(connection) or _ready(connection, state, 1.0)):
        raise psycopg2.OperationalError("the connection to PostgreSQL is silently dead")


def _works(connection: Any) -> bool:
    """Ask over another connection whether the server still runs the query."""
    _thread.probing = True
    try:
        _, info = connection_info_for(connection.info.dbname)
        with contextlib.closing(psycopg2.connect(**info)) as probe, probe.cursor() as cursor:
            pid = connection.info.backend_pid
            cursor.execute("SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s", [pid])
            return cursor.fetchone() == (True,)
    except psycopg2.Error:
        return False
    finally:
        _thread.probing = False
