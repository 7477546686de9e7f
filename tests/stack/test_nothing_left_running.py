"""Whatever way a stack ends, none of its processes stays: tried in a second checkout."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stack.layout import CHECKOUT, VENV
from tests.waiting import PATIENCE, wait_until


class Checkout:
    """A clone of this project that shares this one's Python environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "-q", CHECKOUT, folder], check=True)
        (folder / ".venv").symlink_to(VENV)
        self.output = folder.with_suffix(".log")

    def make(self, target: str, **environment: str) -> subprocess.Popen:
        with self.output.open("w") as output:
            return subprocess.Popen(
                ["make", "--old-file=.venv/complete", target],
                cwd=self.folder,
                env={**outside_environment(), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Whatever runs in this checkout or was told of it."""
        return [process for process in psutil.process_iter() if self._belongs(process)]

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            told = [process.cwd(), *process.cmdline(), *process.environ().values()]
        except psutil.Error:
            return False
        return any(text.startswith(str(self.folder)) for text in told)

    def says(self, text: str) -> bool:
        return text in self.output.read_text()


def outside_environment() -> dict[str, str]:
    """The environment without what this test's own stack has put there."""
    own = ("STACK_", "PG", "RABBITMQ_", "ERL_", "ODOO_", "AMQP_", "NAMEKO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path_factory.mktemp("second") / "checkout")
    yield checkout
    for process in checkout.processes():
        process.kill()


def test_demo_prints_the_sum_beside_a_running_stack_and_leaves_nothing(checkout):
    assert checkout.make("demo").wait(PATIENCE) == 0, checkout.output.read_text()
    assert checkout.says("99999 + 99999 = 199998")
    assert checkout.processes() == []


def test_demo_uses_what_the_user_names(checkout):
    named = ("AMQP_URI", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
    services = {name: os.environ[name] for name in named}
    make = checkout.make("demo", **services, PGDATABASE="second_checkout")
    started: set[str] = set()

    def has_ended() -> bool:
        started.update(names_of(checkout.processes()))
        return make.poll() is not None

    wait_until(has_ended)
    assert checkout.says("99999 + 99999 = 199998"), checkout.output.read_text()
    assert "supervisord" in started
    assert not started & {"beam.smp", "postgres", "epmd"}


def names_of(processes: list[psutil.Process]) -> set[str]:
    found = set()
    for process in processes:
        try:
            found.add(process.name())
        except psutil.NoSuchProcess:
            continue
    return found


def kill_make(make: subprocess.Popen, _checkout: Checkout) -> None:
    make.kill()


def kill_stack(make: subprocess.Popen, checkout: Checkout) -> None:
    os.kill(int((checkout.folder / "build/stack/lock").read_text()), signal.SIGKILL)


def kill_supervisord(make: subprocess.Popen, checkout: Checkout) -> None:
    os.kill(int((checkout.folder / "build/stack/supervisord.pid").read_text()), signal.SIGKILL)


def make_down(make: subprocess.Popen, checkout: Checkout) -> None:
    subprocess.run(
        ["make", "--old-file=.venv/complete", "down"],
        cwd=checkout.folder,
        env=outside_environment(),
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("end", [kill_make, kill_stack, kill_supervisord, make_down])
def test_nothing_is_left_after(checkout: Checkout, end: Callable):
    make = checkout.make("run")
    wait_until(lambda: checkout.says("Ctrl-C stops everything"))
    assert len(checkout.processes()) > 5
    end(make, checkout)
    wait_until(lambda: checkout.processes() == [], what="every process is gone")
    make.wait()
    if end is make_down:
        check_that_each_program_stopped_in_order(checkout)


def check_that_each_program_stopped_in_order(checkout: Checkout) -> None:
    """Each program stopped by itself, and supervisord did not have to wait for one of them."""
    log = (checkout.folder / "build/stack/log/supervisord.log").read_text()
    for program in ("odoo", "relay", "api", "services", "rabbitmq", "postgres"):
        assert f"stopped: {program} (exit status 0)" in log
    assert "waiting for" not in log
    assert "killing" not in log


def test_nothing_is_left_after_ctrl_c_nor_any_complaint_in_logs(checkout: Checkout):
    """On a broker that has no queue yet; the services log one JSON object a line."""
    shutil.rmtree(checkout.folder / "build" / "stack" / "rabbitmq", ignore_errors=True)
    make = checkout.make("run")
    wait_until(lambda: checkout.says("Ctrl-C stops everything"))
    logs = checkout.folder / "build" / "stack" / "log"
    complaints = (logs / "rabbitmq.log").read_text()  # before the connections are closed
    os.killpg(make.pid, signal.SIGINT)  # Ctrl-C reaches the whole process group of the terminal
    make.wait(PATIENCE)
    wait_until(lambda: checkout.processes() == [], what="every process is gone")
    check_that_each_program_stopped_in_order(checkout)
    assert "[error]" not in complaints
    assert logs.stat().st_mode & 0o077 == 0  # nobody else reads them
    for name in ("services.log", "api.log"):
        lines = (logs / name).read_text().splitlines()
        assert lines
        assert all(json.loads(line)["message"] for line in lines)


def test_failing_step_says_which_and_why_and_leaves_nothing(checkout):
    configuration = checkout.folder / "odoo.conf"
    original = configuration.read_text()
    configuration.write_text(original + "no_such_setting = 1\n")
    try:
        assert checkout.make("demo").wait(PATIENCE) != 0
        assert checkout.says("Failed: the relay of the jobs")
        assert checkout.says("no_such_setting")
    finally:
        configuration.write_text(original)
    assert checkout.processes() == []
