"""The stack's own PostgreSQL cluster, and Odoo's database in it."""

import ast
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql

from .layout import BUILD
from .settings import ADDONS, HOST, Secrets, own_database
from .steps import run_logged

CLUSTER = BUILD / "postgres"
COPY = "nameko_as_installed"
# PostgreSQL's other strategy copies the number of values that a sequence may still take without
# writing them to the log: after a crash, the copy's sequences would take them again.
COPYING = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
OURS = ("nameko_connector", "nameko_compute")
NOT_IN_THE_DATABASE = frozenset({"__pycache__", "static", "tests", "readme"})
CALLED_BY_UPDATE = frozenset({"init", "_auto_init", "_register_hook", "migrate"})
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
    """Create Odoo's database with the addons, or update those whose content has changed.

    Raises StackError with the end of Odoo's log if that fails.
    """
    installed, wanted = BUILD / "installed.json", addon_state(environment)
    before = json.loads(installed.read_text()) if installed.exists() else {}
    if before == wanted:
        return
    own = [addon.name for addon in _own_addons(environment)]
    changed = [name for name in wanted if name != "database" and before.get(name) != wanted[name]]
    odoo = [environment["STACK_ODOO"], "server", "--stop-after-init", "--no-http"]
    modules = ["-i", ",".join([*OURS, *own]), "-u", ",".join(Path(name).name for name in changed)]
    run_logged([*odoo, *modules], "odoo-install.log", environment=environment)
    if own_database(environment):
        _keep_copy(environment, is_fresh=not before)
    installed.write_text(json.dumps(wanted))


def _keep_copy(environment: Mapping[str, str], *, is_fresh: bool) -> None:
    """Keep a copy of the database as it was installed, for the databases of tests.

    There is none after an update of the addons.
    """
    connection = psycopg2.connect(
        host=environment["PGHOST"],
        port=environment["PGPORT"],
        user=environment["PGUSER"],
        password=environment["PGPASSWORD"],
        dbname="postgres",
    )
    connection.autocommit = True
    names = sql.Identifier(COPY), sql.Identifier(environment["ODOO_DATABASE"])
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(names[0]))
        if is_fresh:
            cursor.execute(sql.SQL(COPYING).format(*names))
    connection.close()


def addon_state(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the database's name, and a digest of the content of each addon."""
    addons = [*(ADDONS / name for name in OURS), *_own_addons(environment)]
    return {
        "database": f"{environment['PGHOST']}/{environment['ODOO_DATABASE']}",
        **{str(addon): content_digest(addon) for addon in addons},
    }


def _own_addons(environment: Mapping[str, str]) -> list[Path]:
    return [Path(name) for name in environment["STACK_OWN_ADDONS"].split(",") if name]


def content_digest(addon: Path) -> str:
    """Return a digest of what an update of an addon writes into a database.

    That is neither what functions do, nor the files that a browser loads: for them Odoo only has to
    start again.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in addon.rglob("*") if path.is_file()):
        parts = path.relative_to(addon).parts
        if NOT_IN_THE_DATABASE.isdisjoint(parts):
            content = path.read_bytes()
            content = _declarations(content) if path.suffix == ".py" else content
            digest.update("/".join(parts).encode() + b"\0" + content)
    return digest.hexdigest()


def _declarations(source: bytes) -> bytes:
    """Return Python code without what its functions do, except those that an update calls."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # Odoo says what is wrong
        return source
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in CALLED_BY_UPDATE:
            node.body = [ast.Pass()]
    return ast.unparse(tree).encode()
