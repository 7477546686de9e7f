"""What users may not do, tried as scripts do it: over /web/dataset/call_kw and over /json/2."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from stack.layout import CHECKOUT
from stack.web import OdooRefused, WebClient
from tests.browser.buttons.every_button import ADDONS, Database
from tests.conftest import Stack

PASSWORD = "hostile-enough"
GROUPS = {
    "portal": "base.group_portal",
    "internal": "base.group_user",
    "user": "nameko_connector.group_nameko_user",
    "manager": "nameko_connector.group_nameko_manager",
}
FORGED = {"nameko_scheduled": True, "nameko_action_ids": [1], "default_state": "done"}
MAKE_KEYS = """
import sys
from odoo.tools import config
config.parse_config(["-c", sys.argv[1], "-d", sys.argv[2]])
from odoo.api import Environment
from odoo.modules.registry import Registry
with Registry(sys.argv[2]).cursor() as cr:
    for uid in map(int, sys.argv[3:]):
        keys = Environment(cr, uid, {})["res.users.apikeys"]
        print("key", uid, keys.sudo()._generate("rpc", "hostile", None))
"""


@dataclass(frozen=True)
class Intruder:
    """Somebody who knows both protocols; each call is made over both of them."""

    client: WebClient
    address: str
    key: str

    def is_refused(self, model: str, method: str, ids: list[int], **arguments: Any) -> bool:
        return self._call_kw(model, method, ids, arguments) and self._json_2(
            model, method, ids, arguments
        )

    def _call_kw(self, model: str, method: str, ids: list[int], arguments: dict[str, Any]) -> bool:
        args = [] if method == "create" else [ids]
        try:
            self.client.call(model, method, *args, **arguments)
        except OdooRefused as refusal:
            return bool(refusal.name == "odoo.exceptions.AccessError")
        return False

    def _json_2(self, model: str, method: str, ids: list[int], arguments: dict[str, Any]) -> bool:
        answer = requests.post(
            f"{self.address}/json/2/{model}/{method}",
            json=arguments if method == "create" else {"ids": ids, **arguments},
            headers={"Authorization": f"bearer {self.key}"},
            timeout=60,
        )
        return answer.status_code == requests.codes.forbidden


@pytest.fixture(scope="module")
def intruders(stack: Stack) -> Iterator[dict[str, Intruder]]:
    admin = stack.web_client()
    logins = {role: f"{role}-{uuid.uuid4().hex[:6]}" for role in GROUPS}
    ids = {role: make_user(admin, login, GROUPS[role]) for role, login in logins.items()}
    keys = make_keys(stack.database, list(ids.values()))
    yield {
        role: Intruder(stack.web_client(login, PASSWORD), stack.odoo_url, keys[ids[role]])
        for role, login in logins.items()
    }
    admin.call("res.users", "write", list(ids.values()), {"active": False})


def make_user(admin: WebClient, login: str, group: str) -> int:
    module, _, name = group.partition(".")
    domain = [["module", "=", module], ["name", "=", name]]
    (found,) = admin.call("ir.model.data", "search_read", domain, ["res_id"])
    values = {"name": login, "login": login, "password": PASSWORD}
    return int(
        admin.call("res.users", "create", {**values, "group_ids": [(6, 0, [found["res_id"]])]})
    )


def make_keys(database: str, users: list[int]) -> dict[int, str]:
    """Make API keys, which Odoo shows to their users only."""
    command = [sys.executable, "-c", MAKE_KEYS, os.environ["ODOO_RC"], database, *map(str, users)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("key ")]
    return {int(uid): key for _, uid, key in lines}


@pytest.fixture
def database(stack: Stack) -> Database:
    return Database(stack.database, stack.web_client())


@pytest.mark.parametrize("role", ["portal", "internal"])
def test_outsiders_run_no_actions(
    role: str, intruders: dict[str, Intruder], database: Database, stack: Stack
):
    action = database.server_action()
    for context in ({}, FORGED):
        assert intruders[role].is_refused("ir.actions.server", "run", [action], context=context)
    ours = [["module", "in", ADDONS], ["model", "=", "ir.cron"]]
    crons = stack.web_client().call("ir.model.data", "search_read", ours, ["res_id"])
    for cron in crons:
        ((run,),) = database.sql(
            "SELECT ir_actions_server_id FROM ir_cron WHERE id = %s", cron["res_id"]
        )
        assert intruders[role].is_refused("ir.actions.server", "run", [run])


@pytest.mark.parametrize("role", ["user", "manager"])
def test_results_are_written_by_nobody(role: str, intruders: dict[str, Intruder]):
    intruder = intruders[role]
    mine = intruder.client.save("nameko.compute", {"value": 1, "other": 2}, ["id"])["id"]
    for values in ({"result": 42}, {"state": "done"}, {"computed_by_id": 1}, {"job_id": 1}):
        assert intruder.is_refused("nameko.compute", "write", [mine], vals=values)
        created = [{"value": 1, "other": 2, **values}]
        assert intruder.is_refused("nameko.compute", "create", [], vals_list=created)
    assert intruder.is_refused("nameko.job", "write", [1], vals={"state": "done"})


def test_manager_rewrites_no_scheduled_call(intruders: dict[str, Intruder], database: Database):
    admin = database.client
    action = database.server_action()
    admin.call("ir.cron", "create", {"ir_actions_server_id": action, "interval_number": 1,
                                     "active": False})  # fmt: skip
    rows = admin.call("nameko.action.parameter", "search", [["action_id", "=", action]])
    manager = intruders["manager"]
    values = {"name": "more", "value": "user.login"}
    model = "nameko.action.parameter"
    assert manager.is_refused(model, "write", rows, vals=values)
    assert manager.is_refused(model, "create", [], vals_list=[{**values, "action_id": action}])
    assert manager.is_refused(model, "unlink", rows)
    assert manager.is_refused("ir.actions.server", "write", [action], vals={"name": "Mine"})


def test_what_is_private_is_called_by_nobody(intruders: dict[str, Intruder]):
    for role, intruder in intruders.items():
        for model, method in (
            ("nameko.rpc", "call"),
            ("nameko.rpc", "delay"),
            ("nameko.job", "apply_replies"),
            ("nameko.database", "database_identity"),
            ("nameko.compute", "_on_computed"),
        ):
            assert intruder.is_refused(model, method, []), (role, model, method)
