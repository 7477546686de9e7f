"""Notify the relays of a database, count them, and end frozen ones."""

from __future__ import annotations

from ..tools import locks
from .cancelled import has_cancelled
from .rows import READY, Cursor

CHANNEL = "nameko_job"  # NOTIFY: there is something to do
RELAY_NAME = "nameko_relay-"  # and an id: the application_name of a relay's sessions
MOST_COUNTED = 10_000
FROZEN_SECONDS = 30  # without a statement, after which a relay counts as frozen
RELAYS = """
    SELECT activity.application_name, activity.state_change
      FROM pg_locks lock JOIN pg_stat_activity activity ON activity.pid = lock.pid
     WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
       AND (lock.classid::bigint << 32) + lock.objid::bigint = %s
       AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def notify(cr: Cursor) -> None:
    """Wake the relays after this transaction is committed."""
    cr.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def running_relays(cr: Cursor, seconds: float) -> int:
    """Return how many relays have executed a statement within so many seconds."""
    cr.execute(
        f"SELECT count(*) FROM ({RELAYS}) relay"  # noqa: S608  constants
        " WHERE coalesce(state_change > now() - interval '1 second' * %s, true)",
        [locks.RELAY, seconds],
    )
    return int(cr.fetchone()[0])


def end_frozen_relays(cr: Cursor) -> int:
    """Terminate the sessions of frozen relays; return how many.

    This releases their locks. If a relay recovers, it connects again.
    """
    cr.execute(
        f"""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND application_name IN (
               SELECT application_name FROM ({RELAYS}) relay
                WHERE state_change < now() - interval '1 second' * %s
                  AND starts_with(application_name, %s))
        """,  # noqa: S608  constants
        [locks.RELAY, FROZEN_SECONDS, RELAY_NAME],
    )
    return cr.rowcount


def count_ready(cr: Cursor) -> int:
    """Return how many jobs are ready, at most MOST_COUNTED."""
    cr.execute(
        f"SELECT count(*) FROM (SELECT FROM nameko_job WHERE {READY} LIMIT %s) ready",  # noqa: S608
        [MOST_COUNTED],
    )
    return int(cr.fetchone()[0])


def has_live_jobs(cr: Cursor) -> bool:
    """Return whether there are unfinished jobs, or cancelled ones to announce."""
    cr.execute(
        "SELECT EXISTS (SELECT 1 FROM nameko_job WHERE state = 'pending')"
        " OR EXISTS (SELECT 1 FROM nameko_job WHERE state = 'sent')"
    )
    return bool(cr.fetchone()[0]) or has_cancelled(cr)
