"""The command `odoo nameko_relay`. Odoo loads this module without the addon's package."""

import logging
import optparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from odoo.cli.command import Command
from odoo.service import server
from odoo.tools import config

_logger = logging.getLogger(__name__)
MAX_SENT = 1000
CALLBACK_SECONDS = 600.0
ANSWERS = {"moved": "_answer_moved", "copy": "_answer_copy", "ask": "_ask_again"}
ALIVE_SECONDS = 60
FLAG: dict[str, Any] = {"action": "store_true", "my_default": False}
NUMBER: dict[str, Any] = {"type": "float", "my_default": None}
OPTIONS: dict[str, dict[str, Any]] = {
    "--max-sent": {
        "type": "int",
        "my_default": None,
        "help": "Jobs that are sent to one service at a time (1000).",
    },
    "--callback-seconds": {
        **NUMBER,
        "help": "Seconds that a callback may take for one result (600); then its job fails.",
    },
    "--databases": {
        "my_default": "",
        "metavar": "DATABASE,...",
        "help": "Serve these databases with one service; without -d, all of this PostgreSQL user.",
    },
    "--processes": {
        "type": "int",
        "my_default": None,
        "help": "Databases that the service works for at the same time (2 for each core).",
    },
    "--idle-seconds": {
        **NUMBER,
        "help": "Seconds after which the service ends a relay with nothing to do (60).",
    },
    "--slice-seconds": {
        **NUMBER,
        "help": "Seconds of a relay's turn when other databases wait (5).",
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

    With -d it is the relay of one database; any number of relays may serve one. Without -d it
    serves all databases, each with a process while that has something to do. It runs until SIGTERM
    or Ctrl-C. With --moved, --copy or --ask it only records which database this is, and exits.
    """

    name = "nameko_relay"

    def run(self, args: list[str]) -> None:
        """Parse the command line, and do what its options ask for."""
        options = self._parse(args)
        names = [name.strip() for name in (options.databases or "").split(",") if name.strip()]
        is_service = bool(names) or len(config["db_name"]) != 1
        names = names or config["db_name"]
        alive_file = Path(options.alive_file or default_alive_file("" if is_service else names[0]))
        if options.check:
            sys.exit(check(alive_file))
        for option, method in ANSWERS.items():
            if getattr(options, option):
                answer(names, method)
                return
        if is_service:
            serve(names, alive_file, options)
        else:
            relay(names[0], alive_file, options)

    def _parse(self, args: list[str]) -> optparse.Values:
        config.parser.prog = self.prog
        group = optparse.OptionGroup(config.parser, "Relay options")
        for option, details in OPTIONS.items():
            group.add_option(option, **details)
        config.parser.add_option_group(group)
        return config.parse_config(args, setup_logging=True)


def default_alive_file(database: str) -> Path:
    """Return the alive file of a database's relay, or of the service."""
    return Path(config["data_dir"]) / f"nameko_relay{database and '-' + database}.alive"


def check(alive_file: Path) -> int:
    """Return the exit code: 0 if a relay is alive, else 1; if it may not work, print why."""
    try:
        if refusal := alive_file.read_text():
            sys.exit(refusal)  # with 1
        return int(time.time() - alive_file.stat().st_mtime > ALIVE_SECONDS)
    except FileNotFoundError:
        return 1


def answer(names: list[str], method: str) -> None:
    """Record whether this database is the original or a copy, by calling `method`."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_connector.cli.one_database import environment  # noqa: PLC0415

    with environment("nameko_relay", names) as env:
        changed = getattr(env["nameko.database"], method)()
    _logger.warning(
        "%s",
        "Done" if changed else "Nothing was changed: the database does not wait for this answer",
    )


def relay(database: str, alive_file: Path, options: optparse.Values) -> None:
    """Run a relay until it is asked to stop."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_connector.relay.relay import Relay  # noqa: PLC0415

    Relay(relay_settings(database, alive_file, options)).run()


def serve(names: list[str], alive_file: Path, options: optparse.Values) -> None:
    """Run the service for these databases, or for all, until it is asked to stop."""
    server.load_server_wide_modules()
    from odoo.addons.nameko_connector.relay.service import turns  # noqa: PLC0415
    from odoo.addons.nameko_connector.relay.service.databases import Choice  # noqa: PLC0415
    from odoo.addons.nameko_connector.relay.service.service import Service  # noqa: PLC0415

    limits = turns.Limits(
        processes=max(1, options.processes or max(4, 2 * (os.cpu_count() or 1))),
        idle_seconds=seconds(options.idle_seconds, turns.IDLE_SECONDS),
        slice_seconds=seconds(options.slice_seconds, turns.SLICE_SECONDS),
    )
    choice = Choice(frozenset(names), config["dbfilter"] or "")
    Service(choice, limits, relay_settings("", alive_file, options)).run()


def seconds(value: float | None, default: float) -> float:
    """Return an option's value, or the default if it was not given."""
    return default if value is None else value


def relay_settings(database: str, alive_file: Path, options: optparse.Values) -> Any:
    """Return the settings of a relay."""
    from odoo.addons.nameko_connector.relay.relay import Settings  # noqa: PLC0415
    from odoo.addons.nameko_connector.tools.configuration import broker_config  # noqa: PLC0415

    alive_file.parent.mkdir(parents=True, exist_ok=True)
    return Settings(
        database=database,
        broker=broker_config(),
        max_sent=options.max_sent or MAX_SENT,
        alive_file=alive_file,
        callback_seconds=options.callback_seconds or CALLBACK_SECONDS,
    )
