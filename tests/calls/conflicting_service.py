"""A service `compute` that notes each call's idempotency id and makes its caller's commit fail."""

import os
from pathlib import Path
from typing import Any

import psycopg2
from nameko.extensions import DependencyProvider
from nameko.rpc import rpc

FOLDER = Path(os.environ["CALLS_FOLDER"])
IDS, CONFLICTS = FOLDER / "ids", FOLDER / "conflicts"


class Context(DependencyProvider):
    def get_dependency(self, worker_ctx: Any) -> Any:
        return worker_ctx.context_data


class ComputeService:
    name = "compute"

    context = Context()

    @rpc
    def method(self, value: Any, other: Any) -> Any:
        self._note()
        spoil(value)
        return value + other

    @rpc
    def compute(self, operation: Any, value: Any, other: Any, email: Any) -> Any:
        return self.method(value, other)

    def _note(self) -> None:
        with IDS.open("a") as file:
            file.write(f"{self.context.get('idempotency_id')}\n")


def spoil(value: Any) -> None:
    """Change the caller's records in another transaction, as often as CONFLICTS says."""
    wanted = int(CONFLICTS.read_text())
    if wanted:
        CONFLICTS.write_text(str(wanted - 1))
        with psycopg2.connect(dbname=os.environ["ODOO_DATABASE"]) as connection:
            query = "UPDATE nameko_compute SET value = value WHERE value = %s"
            connection.cursor().execute(query, [value])
        connection.close()
