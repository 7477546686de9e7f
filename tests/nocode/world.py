"""A database with contacts and automation rules, its Odoo and relay, and the pricing service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.heartbeat.catalogue import describe_methods
from stack.web import WebClient
from tests.databases import copy_installed, run_outside
from tests.jobs.world import ODOO, World, odoo_options
from tests.nocode.pricing_service import PricingService
from tests.odoo_process import OdooProcess, running_odoo
from tests.processes import Process, running

DATABASE = "nameko_nocode_test"
MODULES = "nameko_compute,base_automation,contacts"
MANAGER, PASSWORD = "nora", "nora-designs"
NAMES = ("Ada", "Bea", "Cleo")
GROUPS = ("base.group_user", "base.group_partner_manager", "nameko_connector.group_nameko_manager")


@dataclass(frozen=True)
class NoCode:
    """The Odoo and the world of a test."""

    odoo: OdooProcess
    world: World

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.odoo.port}"

    def client(self) -> WebClient:
        """The administrator's session."""
        return self.odoo.web_client()

    def refs(self) -> list[str]:
        """Return the references of the three partners, as they are committed."""
        rows = self.world.sql("SELECT ref FROM res_partner WHERE name IN %s ORDER BY name", NAMES)
        return [ref or "" for (ref,) in rows]


@contextmanager
def opened() -> Iterator[NoCode]:
    """Start everything on a new virtual host, and stop it after the block."""
    world = World(DATABASE)
    world.open()
    try:
        install()
        prepare(world)
        world.start_relay()
        with (
            running("tests.nocode.pricing_service", AMQP_URI=world.amqp_uri),
            running_odoo(DATABASE, AMQP_URI=world.amqp_uri) as odoo,
        ):
            yield NoCode(odoo, world)
    finally:
        world.close()


def install() -> None:
    """Create the database anew."""
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", DATABASE)
    copy_installed(DATABASE)
    command = [*ODOO, "server", *odoo_options(DATABASE), "--stop-after-init", "--no-http"]
    program = Process("nocode", [*command, "-i", MODULES, "--without-demo=all"], {})
    assert program.wait(900) == 0, program.output[-3000:]


def prepare(world: World) -> None:
    """Make three partners, a manager who is no administrator, and the method's catalogue entry."""
    with world.env() as env:
        env["ir.cron"].search([]).active = False
        env["res.partner"].create([{"name": name} for name in NAMES])
        service = env["nameko.service"].create({"name": PricingService.name})
        env["nameko.method"]._learn(service, describe_methods(PricingService))
        groups = [(6, 0, [env.ref(group).id for group in GROUPS])]
        env["res.users"].create(
            {"name": "Nora", "login": MANAGER, "password": PASSWORD, "group_ids": groups}
        )
