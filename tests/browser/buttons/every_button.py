"""Finds the buttons and menu items of the addons, and creates records to press them on."""

import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import psycopg2
from kombu import Connection

from services.messaging.counting import dead_queue
from services.messaging.deliveries import HEADER, Record
from stack.web import WebClient
from tests.waiting import wait_until

ADDONS = ["nameko_connector", "nameko_compute"]
MANY = 500
Key = tuple[str, str, str]  # of a button: model, type of the view or "menu", name
COLUMNS = {
    "service": "compute",
    "method": "compute",
    "arguments": json.dumps({"args": ["sum", 1, 2, None], "kwargs": {}}),
    "is_ready": False,
    "is_waiting": False,
    "res_model": "nameko.compute",
    "on_result": "_on_computed",
    "on_error": "_on_not_computed",
    "user_id": 2,
    "create_uid": 2,
    "company_id": 1,
    "priority": 10,
    "timeout": 600,
    "attempts": 1,
    "max_attempts": 3,
    "retry_delays": "10",
    "progress": 0,
}


GIVEN_UP = Record(5, "rpc-compute", "nameko-rpc", "compute.method", "", 0)
WHY = "it was delivered 5 times and never finished"


@dataclass(frozen=True)
class Database:
    """The stack's database, and a session of the administrator's."""

    name: str
    client: WebClient

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg2.connect(dbname=self.name) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def empty(self) -> None:
        self.no_policies()
        self.sql("DELETE FROM nameko_job")
        self.sql("DELETE FROM nameko_compute")
        others = ("nameko_batch", "nameko_failure", "nameko_job_minute", "nameko_live_viewer")
        for table in (*others, "bus_bus"):  # a new browser would show its messages
            self.sql(f"DELETE FROM {table}")  # noqa: S608  the tests' own
        self.sql("DELETE FROM mail_activity WHERE res_model = 'nameko.failure'")

    def computations(self, count: int, **values: Any) -> list[int]:
        values = {"name": "Pressed", "value": 1, "other": 2, **values}
        return list(self.client.call("nameko.compute", "create", [values] * count))

    def jobs(self, count: int, state: str, *, result: str | None = None) -> list[int]:
        """Create computations with a job each, directly in a state; return the jobs' ids."""
        tomorrow = "now() + interval '1 day'" if state == "pending" else "NULL"
        columns = {**COLUMNS, "state": state, "result": result, "has_result": result is not None}
        names = ", ".join(columns)
        rows = self.sql(
            f"INSERT INTO nameko_job ({names}, uuid, res_id, create_date, eta)"  # noqa: S608
            f" SELECT {', '.join(['%s'] * len(columns))}, gen_random_uuid()::text, id, now(), "
            f"{tomorrow} FROM unnest(%s) AS id RETURNING id",
            *columns.values(),
            self.computations(count),
        )
        self.sql(
            "UPDATE nameko_compute SET state = 'queued', job_id = job.id FROM nameko_job job"
            " WHERE job.res_id = nameko_compute.id"
        )
        return [row_id for (row_id,) in rows]

    def batch(self, count: int, state: str) -> int:
        """Create a batch of jobs in a state; return its id."""
        rows = self.sql(
            "WITH batch AS ("
            " INSERT INTO nameko_batch (name, state, total, user_id, company_id, create_date)"
            " VALUES ('Pressed together', 'running', %s, 2, 1, now() AT TIME ZONE 'UTC')"
            " RETURNING id)"
            " UPDATE nameko_job job SET batch_id = batch.id FROM batch WHERE job.id = ANY(%s)"
            " RETURNING batch.id",
            count,
            self.jobs(count, state),
        )
        return int(rows[0][0])

    def failures(self, count: int) -> int:
        """Create failed jobs; return the id of the group that the relay makes of them."""
        jobs = self.jobs(count, "failed")
        self.sql(
            "UPDATE nameko_job SET error_type = 'ValueError', done_at = now() AT TIME ZONE 'UTC',"
            " error_message = 'No price for ' || id WHERE id = ANY(%s)",
            jobs,
        )
        query = "SELECT id FROM nameko_failure WHERE failed_count = %s"
        wait_until(lambda: self.sql(query, count), what="the group")
        return int(self.sql(query, count)[0][0])

    def dead_letters(self, count: int) -> None:
        """Replace the dead letters of `compute` by so many requests that it has given up."""
        with Connection(os.environ["AMQP_URI"]) as connection:
            queue = dead_queue("compute")(connection.default_channel)
            queue.declare()
            queue.purge()
            for number in range(count):
                connection.Producer().publish(
                    {"args": [number, 2], "kwargs": {}},
                    routing_key=queue.name,
                    serializer="json",
                    headers={HEADER: vars(GIVEN_UP), "x-nameko-given-up": WHY},
                    reply_to=f"nobody-{uuid.uuid4()}",
                    correlation_id=str(uuid.uuid4()),
                )

    def policy(self, **values: Any) -> None:
        """Make this the only policy; it is of the service `compute`."""
        self.no_policies()
        self.client.call("nameko.policy", "create", {"service": "compute", **values})

    def no_policies(self) -> None:
        self.client.call("nameko.policy", "unlink", self.client.call("nameko.policy", "search", []))

    def states(self, table: str) -> dict[str, int]:
        query = f"SELECT state, count(*) FROM {table} GROUP BY state"  # noqa: S608  the tests' own
        return dict(self.sql(query))

    def server_action(self) -> int:
        """Create an action that sends a computation's value to `compute.method`; return its id."""
        (model,) = self.client.call("ir.model", "search", [["model", "=", "nameko.compute"]])
        rows = [[0, 0, {"name": f"value{n}", "value": "record.value"}] for n in (1, 2)]
        return int(
            self.client.call(
                "ir.actions.server",
                "create",
                {
                    "name": f"Pressed {uuid.uuid4().hex[:6]}",
                    "model_id": model,
                    "state": "nameko",
                    "nameko_service": "compute",
                    "nameko_method": "method",
                    "nameko_result_kind": "nothing",
                    "nameko_parameter_ids": rows,
                },
            )
        )


def buttons(database: Database) -> set[Key]:
    """Find all buttons of the addons' views, and all their items in the menus of lists."""
    return {*_of_views(database), *_of_menus(database)}


def _of_views(database: Database) -> Iterator[Key]:
    views = database.sql(
        "SELECT view.model, view.type, view.arch_db->>'en_US' FROM ir_ui_view view"
        " JOIN ir_model_data data ON data.model = 'ir.ui.view' AND data.res_id = view.id"
        " WHERE data.module = ANY(%s)",
        ADDONS,
    )
    for model, kind, arch in views:
        for button in ElementTree.fromstring(arch).iter("button"):  # noqa: S314  our own
            if "position" not in button.attrib:  # which only marks a place in another view
                name = button.get("name") or button.attrib["special"]
                yield model, kind, _name_of_action(database, name)


def _name_of_action(database: Database, name: str) -> str:
    if not re.fullmatch(r"\d+", name):
        return name
    query = "SELECT name FROM ir_model_data WHERE model LIKE 'ir.actions.%%' AND res_id = %s"
    ((name,),) = database.sql(f"{query} AND module = ANY(%s)", int(name), ADDONS)
    return name


def _of_menus(database: Database) -> Iterator[Key]:
    items = database.sql(
        "SELECT model.model, data.name FROM ir_actions action"
        " JOIN ir_model_data data ON data.model = action.type AND data.res_id = action.id"
        " JOIN ir_model model ON model.id = action.binding_model_id WHERE data.module = ANY(%s)",
        ADDONS,
    )
    return ((model, "menu", name) for model, name in items)
