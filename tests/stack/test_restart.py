"""Developing while a stack runs: the services and the addons begin anew."""

import subprocess
import sys

from tests.processes import cluster


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
