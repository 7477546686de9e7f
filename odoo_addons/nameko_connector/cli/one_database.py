"""The database of a command, for those that need one; no command of its own."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry


@contextmanager
def environment(command: str, names: Sequence[str]) -> Iterator[api.Environment]:
    """Yield the superuser's environment of the one database; exit if there is none.

    Call `server.load_server_wide_modules` first.
    """
    if len(names) != 1:
        sys.exit(f"{command}: name one database with -d")
    (database,) = names
    registry = Registry(database)
    if "nameko.job" not in registry:
        sys.exit(f"{command}: the database {database} does not have the addon")
    with registry.cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})
    registry.signal_changes()
