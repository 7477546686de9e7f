"""Advisory locks of PostgreSQL: all numbers that this addon uses, and the lock of a click."""

import hashlib

from odoo import models
from odoo.http import request

IDENTITY = 7_210_423_119  # to read or change which database this is; until the commit
RELAY = 7_210_423_120  # every running relay, shared; as long as its session
CATALOGUE = 7_210_423_121  # to write the catalogue of services; until the commit
COUNTS = 7_210_423_122  # to write the overview's numbers and the groups of failures; as the last


def is_under_way(records: models.BaseModel, name: str) -> bool:
    """Tell whether another click does this to the same records; if not, note that this one does.

    The note ends with the transaction. It is a lock of its own: the records stay free, so that a
    service may write them meanwhile.
    """
    if not request:
        return False
    key = f"{name} {records._name} {sorted(records.ids)}".encode()
    number = int.from_bytes(hashlib.sha256(key).digest()[:8], "big", signed=True)
    records.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
    (is_free,) = records.env.cr.fetchone()
    return not is_free
