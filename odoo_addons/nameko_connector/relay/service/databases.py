"""List the databases, and notice which ones somebody drops, renames or copies."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from odoo.tools import config

from .session import Session, Steps, Wait

_logger = logging.getLogger(__name__)
SECONDS = 1.0  # between two looks: PostgreSQL waits for 5 s until sessions have ended
LONGEST_PAUSE = 30.0  # s, after several failures
SYSTEM = "postgres"
# DROP and RENAME lock the row of the database, CREATE ... TEMPLATE shares the row of its template.
LIST = """
    PREPARE nameko_list AS
    SELECT datname, datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user),
           oid IN (SELECT objid FROM pg_locks
                    WHERE locktype = 'object' AND classid = 'pg_database'::regclass
                      AND mode IN ('ShareLock', 'ExclusiveLock', 'AccessExclusiveLock'))
      FROM pg_database WHERE datallowconn AND NOT datistemplate
"""
Seen = Mapping[str, bool]  # databases by name, and whether somebody drops or copies them


@dataclass(frozen=True)
class Choice:
    """The databases to serve: those with these names, or all of this user that match a pattern.

    pattern: Odoo's dbfilter; its placeholders, which stand for a host, match anything
    """

    names: frozenset[str] = frozenset()
    pattern: str = ""

    def includes(self, name: str, *, is_own: bool) -> bool:
        """Return whether a database is to be served."""
        if self.names:
            return name in self.names
        pattern = self.pattern.replace("%h", ".*").replace("%d", ".*")
        others = (SYSTEM, config["db_template"])
        return is_own and name not in others and bool(re.match(pattern, name))


class Databases:
    """Tells `see` which databases there are."""

    def __init__(self, choice: Choice, see: Callable[[Seen], None]) -> None:
        self._choice, self._see = choice, see
        self._session = Session(SYSTEM)
        self._pause = 0.0

    def life(self) -> Steps[None]:
        """List for ever; log an error once, and try again with growing pauses."""
        while True:
            try:
                yield from self._list()
            except Exception as error:  # noqa: BLE001  it is tried again
                if not self._pause:
                    _logger.warning("The databases cannot be listed: %s", error)
                self._pause = min(LONGEST_PAUSE, max(1.0, 2 * self._pause))
                self._session.close()
                yield Wait(time.monotonic() + self._pause)

    def _list(self) -> Steps[None]:
        yield from self._session.open()
        yield from self._session.rows(LIST)
        while True:
            rows = yield from self._session.rows("EXECUTE nameko_list")
            self._pause = 0.0
            self._see(
                {
                    name: is_used
                    for name, is_own, is_used in rows
                    if self._choice.includes(name, is_own=is_own)
                }
            )
            yield from self._session.idle(Wait(time.monotonic() + SECONDS))

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def abandon(self) -> None:
        """Close the session's socket in a fork."""
        self._session.abandon()
