"""The command `odoo nameko_stubs`. Odoo loads this module without the addon's package."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from odoo.cli.command import Command
from odoo.service import server
from odoo.tools import config

NO_SERVICE = """\
nameko_stubs: the catalogue has no methods of any service. It has those of services whose \
processes send heartbeats, as all in this project's container class do, while a relay or Odoo's \
scheduled actions run. Start the services, wait until Nameko / Services lists their methods, and \
try again."""


class NamekoStubs(Command):
    """Write a typed Python module for calls of the services in the catalogue.

    Name services after the options to write only these.
    """

    name = "nameko_stubs"

    def run(self, args: list[str]) -> None:
        """Parse the command line, and write the module."""
        output, names = self._parse(args)
        text = stubs(names)
        if output in ("", "-"):
            sys.stdout.write(text)
        else:
            write(Path(output), text)

    def _parse(self, args: list[str]) -> tuple[str, list[str]]:
        """Return the file, and the names of services, which Odoo's own parser would refuse."""
        names: list[str] = []

        def take(values: Any, others: list[str]) -> tuple[Any, list[str]]:
            names.extend(others)
            return values, []

        config.parser.prog = self.prog
        config.parser.usage = "%prog -d DB [--output FILE] [SERVICE ...]"
        config.parser.check_values = take
        config.parser.add_option(
            "--output", my_default="", metavar="FILE", help="The file; by default the output."
        )
        return config.parse_config(args, setup_logging=True).output or "", names


def stubs(names: Sequence[str]) -> str:
    """Return the module for these services, or for all."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_connector.cli.one_database import environment  # noqa: PLC0415
    from odoo.addons.nameko_connector.stubs.module import module_text  # noqa: PLC0415

    with environment("nameko_stubs", config["db_name"]) as env:
        described = env["nameko.service"].search([])._described()
    services = {each.name: each for each in described if each.methods}
    if not services:
        sys.exit(NO_SERVICE)
    if unknown := sorted({*names} - services.keys()):
        sys.exit(
            f"nameko_stubs: the catalogue has no methods of {', '.join(unknown)}; "
            f"it has those of {', '.join(services)}"
        )
    return module_text([services[name] for name in {*names} or services])


def write(path: Path, text: str) -> None:
    """Write the module to a file."""
    from odoo.addons.nameko_connector.stubs import output  # noqa: PLC0415

    try:
        output.write(path, text)
    except OSError as error:
        sys.exit(f"nameko_stubs: {path} cannot be written: {error}")
