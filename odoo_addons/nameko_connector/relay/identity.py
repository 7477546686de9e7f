"""Read the identity of a database, which names its queues."""

from __future__ import annotations

import logging

from ..exceptions import DatabaseNotConfirmed
from .database import Database

_logger = logging.getLogger(__name__)


def identity_of(database: Database) -> str:
    """Return the name under which a database receives replies.

    If an administrator must say first which database it is, ask the administrators.

    :raises SendingRefused: nothing may leave the database
    """
    try:
        with database.jobs() as jobs:
            return str(jobs.env["nameko.database"].database_identity())
    except DatabaseNotConfirmed:
        _ask(database)
        raise


def _ask(database: Database) -> None:
    try:
        with database.jobs(read_committed=True) as jobs:
            jobs.env["nameko.database"].ask_administrators()
    except Exception:
        _logger.exception("The administrators could not be asked which database this is")
