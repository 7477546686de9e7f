"""The command `odoo nameko_relay -d DB`. Odoo loads this module without the addon's package."""

import logging
import optparse
import sys
import time
from pathlib import Path
from typing import Any

from odoo import SUPERUSER_ID, api
from odoo.cli.command import Command
from odoo.modules.registry import Registry
from odoo.service import server
from odoo.tools import config

_logger = logging.getLogger(__name__)
MAX_SENT = 1000
CALLBACK_SECONDS = 600.0
ANSWERS = {"moved": "_answer_moved", "copy": "_answer_copy", "ask": "_ask_again"}
ALIVE_SECONDS = 60
FLAG: dict[str, Any] = {"action": "store_true", "my_default": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "--max-sent": {
        "type": "int",
        "my_default": None,
        "help": "Jobs that are sent to one service at a time (1000).",
    },
    "--callback-seconds": {
        "type": "float",
        "my_default": None,
        "help": "Seconds that a callback may take for one result (600); then its job fails.",
    },
    "--alive-file": {
        "my_default": "",
        "help": "The file that the relay updates every second, and that --check reads.",
    },
    "--check": {
        **FLAG,
        "help": "Exit with 0 if a relay with this file is alive, with 1 if not.",
    },
    "--moved": {**FLAG, "help": "Say that the original moved here: its jobs go on. Exit."},
    "--copy": {
        **FLAG,
        "help": "Say that this database is a copy: its unfinished jobs are cancelled. Exit.",
    },
    "--ask": {
        **FLAG,
        "help": "Have this database ask which it is, as for a physical copy. Exit.",
    },
}


class NamekoRelay(Command):
    """Move Nameko jobs: publish pending ones to the broker, write results to their records.

    Runs until SIGTERM or Ctrl-C; any number of relays may serve one database. With --moved, --copy
    or --ask it only records which database this is, and exits.
    """

    name = "nameko_relay"

    def run(self, args: list[str]) -> None:
        """Parse the command line, and do what its options ask for."""
        options = self._parse(args)
        names = config["db_name"]
        if len(names) != 1:
            sys.exit("nameko_relay: name one database with -d")
        alive_file = Path(
            options.alive_file or Path(config["data_dir"]) / f"nameko_relay-{names[0]}.alive"
        )
        if options.check:
            sys.exit(check(alive_file))
        for option, method in ANSWERS.items():
            if getattr(options, option):
                answer(names[0], method)
                return
        relay(names[0], alive_file, options)

    def _parse(self, args: list[str]) -> optparse.Values:
        config.parser.prog = self.prog
        group = optparse.OptionGroup(config.parser, "Relay options")
        for option, details in OPTIONS.items():
            group.add_option(option, **details)
        config.parser.add_option_group(group)
        return config.parse_config(args, setup_logging=True)


def check(alive_file: Path) -> int:
    """Return the exit code: 0 if a relay is alive, else 1; if it may not work, print why."""
    try:
        if refusal := alive_file.read_text():
            sys.exit(refusal)  # with 1
        return int(time.time() - alive_file.stat().st_mtime > ALIVE_SECONDS)
    except FileNotFoundError:
        return 1


def answer(database: str, method: str) -> None:
    """Record whether this database is the original or a copy, by calling `method`."""
    server.load_server_wide_modules()
    registry = Registry(database)
    if "nameko.job" not in registry:
        sys.exit(f"nameko_relay: the database {database} does not have the addon")
    with registry.cursor() as cr:
        asked = api.Environment(cr, SUPERUSER_ID, {})["nameko.database"]
        changed = getattr(asked, method)()
    registry.signal_changes()
    _logger.warning(
        "%s",
        "Done" if changed else "Nothing was changed: the database does not wait for this answer",
    )


def relay(database: str, alive_file: Path, options: optparse.Values) -> None:
    """Run a relay until it is asked to stop."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_connector.relay.relay import Relay, Settings  # noqa: PLC0415
    from odoo.addons.nameko_connector.tools.configuration import broker_config  # noqa: PLC0415

    alive_file.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        database=database,
        broker=broker_config(),
        max_sent=options.max_sent or MAX_SENT,
        alive_file=alive_file,
        callback_seconds=options.callback_seconds or CALLBACK_SECONDS,
    )
    Relay(settings).run()
