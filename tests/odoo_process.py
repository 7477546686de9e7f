"""Runs a separate Odoo for a test, with another mode or database than the stack's."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stack.demo import LOGIN, PASSWORD
from stack.ports import reserve
from stack.web import WebClient
from tests.processes import Process
from tests.waiting import wait_until


class OdooProcess(Process):
    """A running Odoo, and where it listens."""

    def __init__(
        self,
        database: str,
        options: Sequence[str],
        addons: Sequence[Path],
        environment: Mapping[str, str],
    ) -> None:
        self.database, self.port, self.websocket_port = database, reserve(), reserve()
        ports = [f"--http-port={self.port}", f"--gevent-port={self.websocket_port}"]
        command = [*odoo_command(database, addons), *ports, *options]
        super().__init__("odoo", command, {**PATIENT, **environment})

    def web_client(self, login: str = LOGIN, password: str = PASSWORD) -> WebClient:
        client = WebClient(f"http://127.0.0.1:{self.port}")
        client.log_in(self.database, login, password)
        return client

    def answers(self) -> bool:
        try:
            return bool(self.web_client())
        except OSError:
            return False


PATIENT = {"NAMEKO_TIMEOUT": "60", "NAMEKO_CONNECT_TIMEOUT": "30"}  # on a busy machine


@contextlib.contextmanager
def running_odoo(
    database: str,
    *,
    workers: int = 0,
    crons: int = 0,
    addons: Sequence[Path] = (),
    websocket_connections: int = 64,
    **environment: str,
) -> Iterator[OdooProcess]:
    """Run an Odoo during the block, threaded or with so many prefork workers.

    crons: workers for scheduled actions; websocket_connections: the most connections to PostgreSQL
    of its websocket process; environment: additional variables of this Odoo
    """
    options = [
        f"--workers={workers}",
        f"--max-cron-threads={crons}",
        f"--db_maxconn_gevent={websocket_connections}",
    ]
    odoo = OdooProcess(database, options, addons, environment)
    try:
        wait_until(odoo.answers)
        yield odoo
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):  # then it is killed
            odoo.terminate()


def odoo_command(database: str, addons: Sequence[Path] = ()) -> list[str]:
    """Return the start of a command that runs Odoo on a database. addons: folders to add."""
    configuration = Path(os.environ["ODOO_RC"]).read_text()
    (paths,) = (line for line in configuration.splitlines() if line.startswith("addons_path"))
    every = [paths.partition("=")[2].strip(), *map(str, addons)]
    return [
        os.environ["STACK_ODOO"], "server", f"--database={database}",
        f"--db-filter=^{database}$", f"--addons-path={','.join(every)}",
    ]  # fmt: skip
