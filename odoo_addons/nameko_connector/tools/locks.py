"""PostgreSQL's advisory locks: the numbers that this addon uses, and a lock for double clicks."""

import hashlib

from odoo import models
from odoo.http import request

IDENTITY = 7_210_423_119  # for the identity of the database; until the commit
RELAY = 7_210_423_120  # shared by every running relay; until its session ends
CATALOGUE = 7_210_423_121  # to write the catalogue of services; until the commit
COUNTS = 7_210_423_122  # for statistics and groups of failures; until the commit
LIMIT_KEYS = 7_210_423_123  # to open jobs with limit keys; until the commit


def is_under_way(records: models.BaseModel, name: str) -> bool:
    """Return whether another request runs this action on the same records; if not, lock it.

    The advisory lock ends with the transaction. It does not lock the records, so a service may
    write them meanwhile. Outside HTTP requests, return False.
    """
    if not request:
        return False
    key = f"{name} {records._name} {sorted(records.ids)}".encode()
    number = int.from_bytes(hashlib.sha256(key).digest()[:8], "big", signed=True)
    records.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
    (is_free,) = records.env.cr.fetchone()
    return not is_free
