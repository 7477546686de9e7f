"""Views that refresh when jobs change what they show: pushed over Odoo's bus, without polling.

A form asks once for the token of its record (`watch`), and gets it if its user may read the record.
A list asks for the token of its model. At most once a second a relay sends the tokens of what has
changed to each browser with such a view. A token is the beginning of a keyed digest of model and
id: without this server's answer nobody knows what it stands for. Nothing is sent while no such view
is open (`nameko.live.viewer`).

Browsers are in ten groups by their sessions, each with a channel of its own, which get their
messages one group after the other: each browser's websocket reads its message from the database,
and hundreds at the same moment would take all connections of Odoo's process of websockets.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from odoo import api, models
from odoo.addons.bus.models.bus import channel_with_db, json_dump
from odoo.exceptions import AccessError, UserError

KIND = "nameko_live"  # of the messages
CHANNELS = tuple(f"nameko_live_{number}" for number in range(10))
TOKEN_LENGTH = 5  # characters of base64: 30 bits
MOST_TOKENS = 10_000  # of a message; where more has changed, every view reloads
MOST_WATCHED = 1_000  # records of one view
KEPT = "5 minutes"  # messages: a browser that was away for longer reloads its views
ANY = 0  # the id that stands for any record of a model: for lists, whose filters nobody knows here
Changed = tuple[str, int]  # a model, and the id of a record


class Collector:
    """What has changed in a database: for a process that sends it once a second."""

    def __init__(self) -> None:
        self._changed: set[Changed] = set()
        self._lock = threading.Lock()

    def add(self, changed: Collection[Changed]) -> None:
        with self._lock:
            self._changed.update(changed)

    def take(self) -> set[Changed]:
        """Return what has changed since the last call."""
        with self._lock:
            changed, self._changed = self._changed, set()
        return changed


_collectors: dict[str, Collector] = {}  # by database


@contextmanager
def collecting(database: str) -> Iterator[None]:
    """Have this process collect changes of a database while the block runs."""
    _collectors[database] = Collector()
    try:
        yield
    finally:
        del _collectors[database]


def collected(database: str) -> set[Changed]:
    """Return what has been committed since the last call, while this process collects."""
    return _collectors[database].take()


class NamekoLive(models.AbstractModel):
    _name = "nameko.live"
    _description = "Live Views"

    @api.model
    def watch(self, model: str, record_ids: list[int]) -> list[str]:
        """Return the tokens of those of these records that the user may read.

        Without any, the token that is sent with each change of a record of this model.

        :raises odoo.exceptions.AccessError: the model is not one of those that jobs change, or the
            user may not read it
        :raises odoo.exceptions.UserError: these are no ids
        """
        if not isinstance(record_ids, list) or any(type(each) is not int for each in record_ids):
            raise UserError(self.env._("The records to watch must be a list of ids."))
        if model not in self._models():
            raise AccessError(self.env._("%s has no live views.", model))
        records = self.env[model]
        records.check_access("read")
        readable = records.browse(record_ids[:MOST_WATCHED]).exists()._filtered_access("read")
        key = self._key()
        return [_token(key, (model, each)) for each in (readable.ids if record_ids else [ANY])]

    @api.model
    def _models(self) -> list[str]:
        """Return the models whose views are live: those that jobs change, by a class attribute."""
        registry = self.env.registry
        return [name for name in registry if getattr(registry[name], "_nameko_live", False)]

    @api.model
    def _key(self) -> bytes:
        secret = self.env["ir.config_parameter"].sudo().get_param("database.secret", "")
        return f"{secret} {KIND}".encode()

    # Sending

    @api.model
    def _note(self, changed: Collection[Changed]) -> None:
        """Have open views of these records reload once this transaction is committed."""
        if not changed:
            return
        collector = _collectors.get(self.env.cr.dbname)
        if collector is not None:
            self.env.cr.postcommit.add(lambda: collector.add(changed))
        elif channels := self.env["nameko.live.viewer"]._channels():
            self._send_with_this_transaction(changed, channels)

    def _send_with_this_transaction(
        self, changed: Collection[Changed], channels: Collection[str]
    ) -> None:
        waiting = self.env.cr.precommit.data.setdefault(KIND, set())
        if not waiting:
            self.env.cr.precommit.add(
                lambda: self._send(self.env.cr.precommit.data.pop(KIND, set()), channels)
            )
        waiting.update(changed)

    @api.model
    def _send(self, changed: Collection[Changed], channels: Collection[str]) -> None:
        """Send the tokens of these records, and of their models, to some groups of browsers."""
        if len(changed) > MOST_TOKENS:
            self._send_all(channels)
        elif changed:
            key = self._key()
            named = {*changed, *((model, ANY) for model, _record_id in changed)}
            self._send_to(channels, {"tokens": "".join(_token(key, each) for each in named)})

    @api.model
    def _send_all(self, channels: Collection[str]) -> None:
        """Have all views of some groups of browsers reload."""
        self._send_to(channels, {"all": True})

    def _send_to(self, channels: Collection[str], message: dict[str, Any]) -> None:
        for channel in channels:
            self.env["bus.bus"]._sendone(channel, KIND, message)

    @api.model
    def _forget_old(self) -> None:
        """Delete messages that nobody needs any more: Odoo would keep them for a day."""
        self.env.cr.execute(
            "DELETE FROM bus_bus WHERE channel = ANY(%s)"
            " AND create_date < now() AT TIME ZONE 'UTC' - %s::interval",
            [[json_dump(channel_with_db(self.env.cr.dbname, each)) for each in CHANNELS], KEPT],
        )


def channel_of(session_id: str) -> str:
    """Return the channel of a browser's group."""
    digest = hashlib.sha256(session_id.encode()).digest()
    return CHANNELS[digest[0] % len(CHANNELS)]


def _token(key: bytes, changed: Changed) -> str:
    digest = hmac.digest(key, f"{changed[0]},{changed[1]}".encode(), hashlib.sha256)
    return base64.b64encode(digest)[:TOKEN_LENGTH].decode()
