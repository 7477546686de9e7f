"""Developing while a stack runs: the services and the addons begin anew."""

import subprocess
import sys

import pytest

from stack.database import content_digest
from tests.processes import cluster

MODEL = """
class Thing:
    size = Integer()
    def init(self):
        a()
    def run(self):
        b()
"""
CHANGES = {  # of one file each, and whether the database must be updated for it
    "the code of a method": ("models/thing.py", MODEL.replace("b()", "c()"), False),
    "a field": ("models/thing.py", MODEL.replace("Integer", "Float"), True),
    "what creates tables": ("models/thing.py", MODEL.replace("a()", "c()"), True),
    "Python that is none": ("models/thing.py", "class:", True),
    "a view": ("views/thing.xml", "<odoo/>", True),
    "a new file": ("data/new.csv", "id", True),
    "a script": ("static/src/thing.js", "2", False),
}


def run(command: str) -> None:
    subprocess.run([sys.executable, "-m", "stack", command], check=True)


def test_restart_runs_the_services_anew(stack, faults):
    before = faults.pid("services")
    run("restart")
    assert faults.pid("services") not in (0, before)
    with cluster(stack.amqp_uri) as rpc:
        assert rpc.compute.method(1, 2) == 3


def test_update_restarts_odoo_and_the_relay(stack, faults):
    before = {name: faults.pid(name) for name in ("odoo", "relay")}
    run("update")
    for name, pid in before.items():
        assert faults.pid(name) not in (0, pid)
    stack.web_client()


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_is_updated_only_for_what_is_in_it(tmp_path, change):
    addon = {"models/thing.py": MODEL, "views/thing.xml": "", "static/src/thing.js": "1"}
    write(tmp_path, addon)
    before = content_digest(tmp_path)
    path, content, is_updated = CHANGES[change]
    write(tmp_path, {path: content})
    assert (content_digest(tmp_path) != before) is is_updated


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
