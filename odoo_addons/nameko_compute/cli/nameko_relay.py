"""`odoo-bin nameko_relay -c odoo.conf -d DB`: loaded by Odoo without the addon's package."""

import optparse
import sys
import time
from pathlib import Path

from odoo.cli.command import Command
from odoo.service import server
from odoo.tools import config

MAX_SENT = 1000
ALIVE_SECONDS = 60


class NamekoRelay(Command):
    """Move Nameko jobs: pending ones to the broker, results back to their records.

    Runs until SIGTERM or Ctrl-C; any number of relays may serve one database.
    """

    name = "nameko_relay"

    def run(self, args: list[str]) -> None:
        """Parse the command line, then relay or check."""
        options = self._parse(args)
        names = config["db_name"]
        if len(names) != 1:
            sys.exit("nameko_relay: name one database with -d")
        alive_file = Path(
            options.alive_file or Path(config["data_dir"]) / f"nameko_relay-{names[0]}.alive"
        )
        if options.check:
            sys.exit(check(alive_file))
        relay(names[0], alive_file, options)

    def _parse(self, args: list[str]) -> optparse.Values:
        config.parser.prog = self.prog
        group = optparse.OptionGroup(config.parser, "Relay options")
        group.add_option(
            "--max-sent",
            type="int",
            my_default=None,
            help="Jobs sent to one service at a time.",
        )
        group.add_option("--alive-file", my_default="", help="Touched every second.")
        group.add_option(
            "--check", action="store_true", my_default=False,
            help="Exit with 0 if a relay with this file is alive, with 1 if not.",
        )  # fmt: skip
        group.add_option(
            "--take-over", action="store_true", my_default=False,
            help="This database replaces its original, as after a restore: keep its live jobs.",
        )  # fmt: skip
        config.parser.add_option_group(group)
        return config.parse_config(args, setup_logging=True)


def check(alive_file: Path) -> int:
    """Tell as an exit code whether a relay is alive."""
    try:
        return int(time.time() - alive_file.stat().st_mtime > ALIVE_SECONDS)
    except FileNotFoundError:
        return 1


def relay(database: str, alive_file: Path, options: optparse.Values) -> None:
    """Serve until asked to stop."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_compute.configuration import broker_config  # noqa: PLC0415
    from odoo.addons.nameko_compute.relay.relay import Relay, Settings  # noqa: PLC0415

    alive_file.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        database=database,
        broker=broker_config(),
        max_sent=options.max_sent or MAX_SENT,
        alive_file=alive_file,
        take_over=bool(options.take_over),
    )
    Relay(settings).run()
