"""A developer brings a service and addons of their own, from any folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from stack.settings import own_addons
from stack.steps import StackError
from tests.processes import cluster
from tests.waiting import wait_until

SERVICE = '''
from nameko.rpc import rpc


class OwnPricingService:
    name = "own_pricing"

    @rpc
    def quote(self, qty=1):
        """Quote a price."""
        return 9.5 * qty
'''


def test_own_service_runs_and_is_listed(stack, tmp_path: Path):
    file = tmp_path / "own_pricing.py"
    file.write_text(SERVICE)
    command = [sys.executable, "-m", "stack", "service", str(file)]
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command])
    try:
        client = stack.web_client()
        names = [["name", "=", "own_pricing"], ["state", "=", "up"]]
        wait_until(lambda: client.call("nameko.service", "search_count", names), what="listed")
        methods = client.call("nameko.method", "search_read", [["service_id", "=", "own_pricing"]])
        assert [(method["name"], method["doc"]) for method in methods] == [
            ("quote", "Quote a price.")
        ]
        with cluster(stack.amqp_uri) as rpc:
            assert rpc.own_pricing.quote(qty=2) == 19.0
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_what_is_no_service_is_refused(stack, tmp_path: Path):
    command = [sys.executable, "-m", "stack", "service", str(tmp_path)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (answer.returncode, "is no Python file" in answer.stderr) == (1, True)


def test_own_addons_are_those_in_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("one/a", "one/b", "two/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__manifest__.py").write_text("{}")
    (tmp_path / "one" / "docs").mkdir()
    monkeypatch.setenv("ADDONS", f"{tmp_path}/one,{tmp_path}/two")
    assert own_addons() == [tmp_path / "one/a", tmp_path / "one/b", tmp_path / "two/c"]


def test_folder_without_addons_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADDONS", str(tmp_path))
    with pytest.raises(StackError, match="holds no addon"):
        own_addons()
