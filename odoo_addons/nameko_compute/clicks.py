"""Telling a second click from the first while that is under way."""

import hashlib

from odoo import models
from odoo.http import request


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
