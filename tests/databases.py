"""Create, copy and drop databases of tests on the stack's PostgreSQL."""

import contextlib

import psycopg2
import psycopg2.sql
from psycopg2.errors import InsufficientPrivilege

from stack.database import COPY, COPYING
from tests.waiting import wait_until


def run_outside(statement: str, *names: str) -> None:
    """Run a statement in the database `postgres`, with `names` in place of its braces.

    PostgreSQL refuses to drop a database while autovacuum works there, which only a superuser may
    stop. So the statement is repeated until it succeeds.
    """
    connection = psycopg2.connect(dbname="postgres")
    connection.autocommit = True
    identifiers = list(map(psycopg2.sql.Identifier, names))

    def is_done() -> bool:
        with connection.cursor() as cursor, contextlib.suppress(InsufficientPrivilege):
            cursor.execute(psycopg2.sql.SQL(statement).format(*identifiers))
            return True
        return False

    wait_until(is_done)
    connection.close()


def database_oid(database: str) -> int | None:
    """Return the object id of a database, None if there is none."""
    with psycopg2.connect(dbname="postgres") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = %s", [database])
        row = cursor.fetchone()
    connection.close()
    return int(row[0]) if row else None


def copy_installed(database: str) -> bool:
    """Create a database as the stack's was when it was installed.

    Return whether there is such a copy: after an update of the addons there is none.
    """
    if database_oid(COPY) is None:
        return False
    run_outside(COPYING, database, COPY)
    return True
