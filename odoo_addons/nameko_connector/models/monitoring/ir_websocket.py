"""The websocket's channels of live views: for internal users, and noted while somebody listens."""

import uuid
from typing import Any
from weakref import WeakKeyDictionary

from odoo import api, models
from odoo.addons.bus.websocket import Websocket, wsrequest

from .nameko_live import PREFIX

_connections: WeakKeyDictionary[Websocket, str] = WeakKeyDictionary()  # with a name for each


class IrWebsocket(models.AbstractModel):
    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels: list[Any]) -> list[Any]:
        if not self.env.user._is_internal():
            channels = [channel for channel in channels if not _is_live(channel)]
        return super()._build_bus_channel_list(channels)

    def _after_subscribe_data(self, data: dict[str, Any]) -> None:  # pylint: disable=missing-return
        super()._after_subscribe_data(data)
        if not wsrequest:  # a single look, over HTTP
            return
        connection = _connections.setdefault(wsrequest.ws, uuid.uuid4().hex)
        heard = list(filter(_is_live, data["channels"]))
        begun = self.env["nameko.live.viewer"]._note(connection, heard)
        # Nothing was sent before that: what has changed since the view was read is read again.
        self.env["nameko.live"]._send(begun)


@Websocket.onclose
def forget_connection(env: api.Environment, websocket: Websocket) -> None:
    """Forget what a browser has listened to. Called for databases without this addon, too."""
    connection = _connections.get(websocket)
    if connection and "nameko.live.viewer" in env:
        env["nameko.live.viewer"]._note(connection, [])


def _is_live(channel: Any) -> bool:
    return isinstance(channel, str) and channel.startswith(PREFIX)
