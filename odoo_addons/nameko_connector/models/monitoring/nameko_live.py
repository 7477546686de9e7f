"""Live views: they reload when jobs change their data. Odoo's bus notifies them, without polling.

A form asks once for the channel of its record (`watch`), and gets it if its user may read the
record. A list asks for a channel of its model. The browser subscribes to the channel, and reloads
the view at each message. A message contains no data. The name of a channel is a keyed digest of
model and id, so it cannot be guessed, and does not reveal the record.

Messages are sent only to channels with subscribers (`nameko.live.viewer`): by the relay, for its
own changes (`relay/live.py`), and otherwise by the transaction that changes a record.

A model has ten channels, each for a part of the sessions. To read a message, each websocket takes
a database connection of Odoo's websocket process. So the relay notifies one channel after the
other: hundreds of browsers at the same time would use up all connections.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from odoo import api, models
from odoo.addons.bus.models.bus import channel_with_db, json_dump
from odoo.exceptions import AccessError, UserError
from odoo.http import request

KIND = "nameko_live"  # of the messages
PREFIX = "nameko_live_"  # of the channels
DIGEST_LENGTH = 22  # characters of base64: 132 bits
GROUPS = 10  # of sessions
MOST_CHANGED = 10_000  # records; if more have changed, every view reloads
MOST_WATCHED = 1_000  # records of one view
KEPT = "20 seconds"  # age of messages; after a lost connection, a browser reloads its views anyway
Changed = tuple[str, int]  # a model, and the id of a record


class Collector:
    """Collects the changes in a database, for a process that sends them once a second."""

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
    """Collect the changes of this process to a database while the block runs."""
    _collectors[database] = Collector()
    try:
        yield
    finally:
        del _collectors[database]


def collected(database: str) -> set[Changed]:
    """Return the changes that were committed since the last call, inside `collecting`."""
    return _collectors[database].take()


class NamekoLive(models.AbstractModel):
    _name = "nameko.live"
    _description = "Live Views"

    @api.model
    def watch(self, model: str, record_ids: list[int]) -> list[str]:
        """Return the channels of those of these records that the user may read.

        Without ids, return a channel that gets a message when any record of this model changes.

        :raises odoo.exceptions.AccessError: the model has no live views, or the user may not read
            it
        :raises odoo.exceptions.UserError: record_ids is not a list of ids
        """
        if not isinstance(record_ids, list) or any(type(each) is not int for each in record_ids):
            raise UserError(self.env._("The records to watch must be a list of ids."))
        if model not in self._models():
            raise AccessError(self.env._("%s has no live views.", model))
        records = self.env[model]
        records.check_access("read")
        key = self._key()
        if not record_ids:
            return [_channel(key, (model, -_group()))]
        readable = records.browse(record_ids[:MOST_WATCHED]).exists()._filtered_access("read")
        return [_channel(key, (model, each)) for each in readable.ids]

    @api.model
    def _models(self) -> list[str]:
        """Return the models with live views, which have the class attribute `_nameko_live`."""
        registry = self.env.registry
        return [name for name in registry if getattr(registry[name], "_nameko_live", False)]

    @api.model
    def _key(self) -> bytes:
        secret = self.env["ir.config_parameter"].sudo().get_param("database.secret", "")
        return f"{secret} {KIND}".encode()

    @api.model
    def _channels_of(self, changed: Collection[Changed], among: Collection[str]) -> list[str]:
        """Return those channels of these records and of their models that are in `among`."""
        if not among:
            return []
        if len(changed) > MOST_CHANGED:
            return list(among)
        key = self._key()
        names = {model for model, _record_id in changed}
        of_models = [(model, -group) for model in names for group in range(GROUPS)]
        found = (_channel(key, each) for each in [*of_models, *changed])
        return [channel for channel in found if channel in among]

    # Sending

    @api.model
    def _note(self, changed: Collection[Changed]) -> None:
        """Make open views of these records reload after this transaction is committed."""
        if not changed:
            return
        collector = _collectors.get(self.env.cr.dbname)
        if collector is not None:
            self.env.cr.postcommit.add(lambda: collector.add(changed))
            return
        waiting = self.env.cr.precommit.data.setdefault(KIND, set())
        if not waiting:
            self.env.cr.precommit.add(self._send_noted)
        waiting.update(changed)

    def _send_noted(self) -> None:
        changed = self.env.cr.precommit.data.pop(KIND, set())
        listened = self.env["nameko.live.viewer"]._listened()
        self._send(self._channels_of(changed, listened))

    @api.model
    def _send(self, channels: Collection[str]) -> None:
        """Make the views that are subscribed to these channels reload."""
        for channel in channels:
            self.env["bus.bus"]._sendone(channel, KIND, {"channels": [channel]})

    @api.model
    def _send_sign_of_life(self, model: str) -> None:
        """Send a message to all lists of a model that does not make them reload."""
        listened = self.env["nameko.live.viewer"]._listened()
        for channel in self._channels_of([(model, 0)], listened):
            self.env["bus.bus"]._sendone(channel, KIND, {"channels": []})

    @api.model
    def _forget_old(self) -> None:
        """Delete old messages of live views; Odoo would keep them for a day."""
        ours = json_dump(channel_with_db(self.env.cr.dbname, PREFIX)).removesuffix('"]')
        self.env.cr.execute(
            "DELETE FROM bus_bus WHERE starts_with(channel, %s)"
            " AND create_date < now() AT TIME ZONE 'UTC' - %s::interval",
            [ours, KEPT],
        )


def _group() -> int:
    """Return the group, a number, of the current session."""
    session_id = request.session.sid if request else ""
    return hashlib.sha256(session_id.encode()).digest()[0] % GROUPS


def _channel(key: bytes, changed: Changed) -> str:
    """Return the channel of a record or, for a negative id, of a model's lists in a group."""
    digest = hmac.digest(key, f"{changed[0]},{changed[1]}".encode(), hashlib.sha256)
    return PREFIX + base64.urlsafe_b64encode(digest)[:DIGEST_LENGTH].decode()
