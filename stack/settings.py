"""Makes the environment of the stack's programs: their ports, passwords and addresses."""

import configparser
import json
import os
import pwd
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .install import programs
from .install.odoo_source import ODOO, addons_paths
from .layout import BUILD, CHECKOUT, LOGS
from .ports import reserve
from .steps import StackError

HOST = "127.0.0.1"
DATABASE = "nameko_compute"
ADDONS = CHECKOUT / "odoo_addons"
# Variables of the caller's that would misconfigure the stack's own Odoo, broker or database.
FOREIGN = ("ODOO_RC", "PYTHONPATH", "PGSERVICE", "PGDATABASE", "NOTIFY_SOCKET")


@dataclass(frozen=True)
class Secrets:
    """Passwords that are made once for a checkout, and that only its owner can read."""

    postgres_superuser: str
    postgres: str
    rabbitmq: str
    supervisor: str
    api: str


def load_secrets() -> Secrets:
    """Return this checkout's passwords, which are made at the first start."""
    path = BUILD / "secrets.json"
    made = {name: secrets.token_hex(16) for name in Secrets.__annotations__}
    known = made | (json.loads(path.read_text()) if path.exists() else {})
    write_private(path, json.dumps(known))
    return Secrets(**known)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def stack_environment(odoo_root: Path) -> dict[str, str]:
    """Reserve the ports and return the environment for every program of the stack."""
    known = load_secrets()
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    environment |= _supervisor_environment(known)
    environment |= _rabbitmq_environment(known, environment)
    environment |= _postgres_environment(known)
    environment |= _services_environment(known, environment)
    environment |= _odoo_environment(odoo_root)
    return environment


def own_broker(environment: Mapping[str, str]) -> bool:
    """Return whether the stack runs a RabbitMQ of its own."""
    return environment["STACK_RABBITMQ_BIN"] != ""


def own_database(environment: Mapping[str, str]) -> bool:
    """Return whether the stack runs a PostgreSQL of its own."""
    return environment["STACK_POSTGRES_BIN"] != ""


def own_mail_server(environment: Mapping[str, str]) -> bool:
    """Return whether the services' mails go to the stack's own catcher."""
    return "STACK_MAIL_CATCHER" in environment


def _services_environment(known: Secrets, base: Mapping[str, str]) -> dict[str, str]:
    found = {
        "STACK_API_KEY": known.api,
        "STACK_API_PORT": str(reserve(8000)),
        "STACK_METRICS_PORT": str(reserve(9100)),
    }
    if "SMTP_HOST" in base:
        host, port = base["SMTP_HOST"], base.get("SMTP_PORT", "25")
        return {**found, "STACK_SMTP_HOST": host, "STACK_SMTP_PORT": port}
    mail_catcher = {"STACK_SMTP_HOST": HOST, "STACK_SMTP_PORT": str(reserve())}
    return {**found, **mail_catcher, "STACK_MAIL_CATCHER": "1"}


def _supervisor_environment(known: Secrets) -> dict[str, str]:
    port = reserve()
    return {
        "STACK_BUILD": str(BUILD),
        "STACK_CHECKOUT": str(CHECKOUT),
        "STACK_LOGS": str(LOGS),
        "STACK_ODOO": str(ODOO),
        "STACK_PYTHON": sys.executable,
        "STACK_SUPERVISOR_PORT": str(port),
        "STACK_SUPERVISOR_PASSWORD": known.supervisor,
        "STACK_SUPERVISOR_URL": f"http://stack:{known.supervisor}@{HOST}:{port}",
    }


def _rabbitmq_environment(known: Secrets, base: Mapping[str, str]) -> dict[str, str]:
    if "AMQP_URI" in base:
        return {"STACK_RABBITMQ_BIN": "", "STACK_RABBITMQ_LIBRARIES": "", "ERL_EPMD_PORT": "0"}
    found = programs.rabbitmq()
    amqp_port, management_port, home = reserve(5672), reserve(15672), BUILD / "rabbitmq"
    home.mkdir(parents=True, exist_ok=True)
    _write_rabbitmq_configuration(home, known, amqp_port, management_port)
    login = f"nameko:{known.rabbitmq}@{HOST}"
    return {
        "AMQP_URI": f"amqp://{login}:{amqp_port}/",
        "RABBITMQ_MANAGEMENT_URI": f"http://{login}:{management_port}",
        "STACK_RABBITMQ_BIN": str(found.folder),
        "PATH": ":".join(filter(None, (found.other_folders, base["PATH"]))),
        "STACK_RABBITMQ_LIBRARIES": found.libraries,
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(reserve()),
        # The start script replaces itself with the server, so that supervisord can signal it.
        "RABBITMQ_ALLOW_INPUT": "1",
        # Without this its statistics take 5 s to stop, long after all messages are on the disk.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel shutdown_timeout 2000",
        "RABBITMQ_NODENAME": "stack@localhost",
        "RABBITMQ_DIST_PORT": str(reserve()),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
    }


def _write_rabbitmq_configuration(
    home: Path, known: Secrets, amqp_port: int, management_port: int
) -> None:
    write_private(
        home / "rabbitmq.conf",
        f"listeners.tcp.1 = {HOST}:{amqp_port}\n"
        f"management.tcp.ip = {HOST}\n"
        f"management.tcp.port = {management_port}\n"
        f"default_user = nameko\ndefault_pass = {known.rabbitmq}\n"
        # A day in ms: RabbitMQ closes a channel that does not ack a message for longer.
        "consumer_timeout = 86400000\n",
    )
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n")


def _postgres_environment(known: Secrets) -> dict[str, str]:
    if "PGHOST" in os.environ:
        return {
            "STACK_POSTGRES_BIN": "",
            "STACK_POSTGRES_PORT": "0",
            "STACK_POSTGRES_LIBRARIES": "",
            "STACK_AS_USER": "",
        }
    found = programs.postgres()
    port = str(reserve())
    return {
        "STACK_POSTGRES_BIN": str(found.folder),
        "STACK_POSTGRES_PORT": port,
        "STACK_POSTGRES_LIBRARIES": found.libraries,
        "STACK_AS_USER": " ".join(not_as_root()),
        "PGHOST": HOST,
        "PGPORT": port,
        "PGUSER": "odoo",
        "PGPASSWORD": known.postgres,
    }


def not_as_root() -> list[str]:
    """Return the prefix for a command of PostgreSQL's, which refuses to run as root.

    It maps root to another account in a user namespace. The account must be in /etc/passwd,
    because initdb looks up its name.
    """
    if os.geteuid() != 0:
        return []
    account = next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    return ["unshare", "--user", f"--map-user={account}"]


def _odoo_environment(odoo_root: Path) -> dict[str, str]:
    port = reserve(8069)
    addons = own_addons()
    database = os.environ.get("PGDATABASE", DATABASE)
    configuration = BUILD / "odoo.conf"
    paths = [*addons_paths(odoo_root), ADDONS, *dict.fromkeys(addon.parent for addon in addons)]
    _write_odoo_configuration(configuration, paths, port, database)
    return {
        "STACK_OWN_ADDONS": ",".join(map(str, addons)),
        "ODOO_RC": str(configuration),
        "ODOO_URL": f"http://{HOST}:{port}",
        "ODOO_DATABASE": database,
    }


def own_addons() -> list[Path]:
    """List the addons in the folders that ADDONS names, separated by commas.

    Raises StackError if a folder holds none.
    """
    found: list[Path] = []
    for name in filter(None, os.environ.get("ADDONS", "").split(",")):
        folder = Path(name).expanduser().resolve()
        addons = sorted(manifest.parent for manifest in folder.glob("*/__manifest__.py"))
        if not addons:
            raise StackError(
                f"ADDONS={name} holds no addon; name a folder in which each addon has its folder."
            )
        found += addons
    return found


def _write_odoo_configuration(path: Path, addons: Sequence[Path], port: int, database: str) -> None:
    """Write the project's odoo.conf, with the paths and ports of this machine."""
    parser = configparser.RawConfigParser()
    parser.read(CHECKOUT / "odoo.conf")
    parser["options"].update(
        {
            "addons_path": ",".join(map(str, addons)),
            "data_dir": str(BUILD / "odoo"),
            "db_name": database,
            "dbfilter": f"^{database}$",
            "http_interface": HOST,
            "http_port": str(port),
            "gevent_port": str(reserve()),
        }
    )
    write_private(path, "")
    with path.open("w") as file:
        parser.write(file)
