"""The stack's own PostgreSQL cluster, and Odoo's database in it."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql

from .layout import BUILD
from .settings import ADDONS, HOST, Secrets
from .steps import run_logged

CLUSTER = BUILD / "postgres"
SETTINGS = f"""
listen_addresses = '{HOST}'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
jit = off
"""


def initialize_cluster(environment: Mapping[str, str], known: Secrets) -> None:
    """Create the cluster, unless it is there and complete."""
    if (CLUSTER / "postgresql.auto.conf").exists():
        return
    with tempfile.NamedTemporaryFile("w", dir=BUILD) as password:
        password.write(known.postgres_superuser)
        password.flush()
        run_logged(
            [
                *environment["STACK_AS_USER"].split(),
                f"{environment['STACK_POSTGRES_BIN']}/initdb",
                "--username=postgres", f"--pwfile={password.name}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", f"--pgdata={CLUSTER}",
            ],
            "initdb.log",
            environment={**environment, "LD_LIBRARY_PATH": environment["STACK_POSTGRES_LIBRARIES"]},
        )  # fmt: skip
    with (CLUSTER / "postgresql.conf").open("a") as configuration:
        configuration.write(SETTINGS)


def accepts_connections(environment: Mapping[str, str], known: Secrets) -> bool:
    """Return whether the stack's own cluster accepts connections."""
    try:
        _superuser(environment, known).close()
    except psycopg2.OperationalError:
        return False
    return True


def create_role(environment: Mapping[str, str], known: Secrets) -> None:
    """Create the role of Odoo, which may log in and create databases, and nothing else."""
    connection = _superuser(environment, known)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'odoo'")
        if not cursor.fetchone():
            cursor.execute(
                sql.SQL("CREATE ROLE odoo LOGIN CREATEDB PASSWORD {}").format(
                    sql.Literal(known.postgres)
                )
            )
    connection.close()


def _superuser(environment: Mapping[str, str], known: Secrets) -> "psycopg2.extensions.connection":
    return psycopg2.connect(
        host=HOST,
        port=environment["STACK_POSTGRES_PORT"],
        user="postgres",
        password=known.postgres_superuser,
        dbname="postgres",
    )


def install_addons(environment: Mapping[str, str]) -> None:
    """Create Odoo's database with the addons, or update them if their files have changed.

    Raises StackError with the end of Odoo's log if that fails.
    """
    installed, wanted = BUILD / "installed.json", addon_state(environment)
    if installed.exists() and json.loads(installed.read_text()) == wanted:
        return
    odoo = [environment["STACK_ODOO"], "server", "--stop-after-init", "--no-http"]
    own = [addon.name for addon in _own_addons(environment)]
    modules = ["-i", ",".join(["nameko_compute", *own]), "-u", ",".join(["nameko_connector", *own])]
    run_logged([*odoo, *modules], "odoo-install.log", environment=environment)
    installed.write_text(json.dumps(wanted))


def addon_state(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the database's name and a digest of each addon: if they change, update."""
    return {
        "database": f"{environment['PGHOST']}/{environment['ODOO_DATABASE']}",
        "addon": digest_of(ADDONS),
        **{str(addon): digest_of(addon) for addon in _own_addons(environment)},
    }


def _own_addons(environment: Mapping[str, str]) -> list[Path]:
    return [Path(name) for name in environment["STACK_OWN_ADDONS"].split(",") if name]


def digest_of(folder: Path) -> str:
    """Return a digest of the folder's files and their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if _matters(path)):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _matters(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
