"""The command that writes a typed module for the services that run."""

from pathlib import Path

from tests.catalogue.conftest import StartService
from tests.jobs.world import ODOO, World, odoo_options
from tests.processes import Process
from tests.waiting import wait_until

METHODS = "SELECT count(*) FROM nameko_method WHERE service = 'compute'"
PRIME_COUNT = "def prime_count(self, limit: int, job: str | None = None) -> _Returned:"


def stubs(world: World, *arguments: str) -> Process:
    """Run the command until it ends."""
    command = ["odoo", "nameko_stubs", *odoo_options(world.database), *arguments]
    program = world.start("stubs", command, "odoo")
    program.wait()
    return program


def test_services_that_run(world: World, start_compute: StartService, tmp_path: Path):
    world.start_relay()
    start_compute()
    wait_until(lambda: world.sql(METHODS) != [(0,)])
    file = tmp_path / "services.py"
    options = [*odoo_options(world.database), "compute", f"--output={file}"]
    program = world.start("stubs", [*ODOO, "nameko_stubs", *options])  # as from a shell
    assert program.wait() == 0, program.output
    text = file.read_text()
    assert PRIME_COUNT in text
    assert "def compute(env: _Environment, " in text
    assert "def heartbeat" not in text, "it has no methods"
    printed = stubs(world)
    assert printed.wait() == 0, printed.output
    assert text in printed.output
    assert stubs(world, f"--output={tmp_path}/none/services.py").logged("cannot be written: ")


def test_other_services(world: World, start_compute: StartService):
    world.start_relay()
    start_compute()
    wait_until(lambda: world.sql(METHODS) != [(0,)])
    refused = stubs(world, "compute", "mail", "pricing")
    assert refused.wait() == 1
    assert refused.logged("has no methods of mail, pricing; it has those of compute\n")


def test_no_services(world: World):
    refused = stubs(world)
    assert refused.wait() == 1
    assert refused.logged("nameko_stubs: the catalogue has no methods of any service. It has")
