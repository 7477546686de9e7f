"""Dumps and restores databases, and runs another PostgreSQL cluster beside the stack's."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from stack.install import programs
from stack.ports import reserve
from stack.settings import not_as_root
from tests.waiting import wait_until

HOST = "127.0.0.1"
USER, PASSWORD = "odoo", "of-another-cluster"


def dump(database: str, path: Path) -> Path:
    """Back a database up into a file, in the custom format."""
    run("pg_dump", "--format=custom", f"--dbname={database}", f"--file={path}")
    return path


def restore(path: Path, database: str) -> None:
    """Create a database and restore a backup into it."""
    run("createdb", database)
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={database}", str(path))


def run(program: str, *arguments: str) -> None:
    found = programs.postgres()
    subprocess.run([found.folder / program, *arguments], check=True, env=environment(found))


def environment(found: programs.Programs) -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": found.libraries}


@contextmanager
def another_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run a new, empty PostgreSQL cluster; yield libpq's variables to connect to it."""
    found = programs.postgres()
    port = str(reserve())
    _initialize(found, folder)
    with (folder / "postgres.log").open("w") as log:
        process = subprocess.Popen(
            [
                *not_as_root(), "setpriv", "--pdeathsig", "KILL", "--", found.folder / "postgres",
                "-D", folder / "cluster", "-p", port,
                "-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=",
            ],
            env=environment(found), stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: _accepts(port), what="PostgreSQL")
        yield {"PGHOST": HOST, "PGPORT": port, "PGUSER": USER, "PGPASSWORD": PASSWORD}
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: it disconnects all clients
        process.wait(60)


def _initialize(found: programs.Programs, folder: Path) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    subprocess.run(
        [
            *not_as_root(), found.folder / "initdb", f"--pgdata={folder / 'cluster'}",
            f"--username={USER}", f"--pwfile={password}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C.UTF-8",
        ],
        check=True, env=environment(found), stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _accepts(port: str) -> bool:
    try:
        psycopg2.connect(
            host=HOST, port=port, user=USER, password=PASSWORD, dbname="postgres"
        ).close()
    except psycopg2.OperationalError:
        return False
    return True
