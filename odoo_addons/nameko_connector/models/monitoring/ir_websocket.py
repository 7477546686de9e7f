"""Allow internal users to subscribe to channels of live views, and store the subscriptions."""

import uuid
from typing import Any
from weakref import WeakKeyDictionary

from odoo import api, models
from odoo.addons.bus.websocket import Websocket, wsrequest

from .nameko_live import PREFIX

_connections: WeakKeyDictionary[Websocket, str] = WeakKeyDictionary()  # an id for each


class IrWebsocket(models.AbstractModel):
    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels: list[Any]) -> list[Any]:
        if not self.env.user._is_internal():
            channels = [channel for channel in channels if not _is_live(channel)]
        return super()._build_bus_channel_list(channels)

    def _after_subscribe_data(self, data: dict[str, Any]) -> None:  # pylint: disable=missing-return
        super()._after_subscribe_data(data)
        if not wsrequest:  # a poll over HTTP
            return
        connection = _connections.setdefault(wsrequest.ws, uuid.uuid4().hex)
        heard = list(filter(_is_live, data["channels"]))
        begun = self.env["nameko.live.viewer"]._note(connection, heard)
        # Earlier changes were not sent to these channels, so make the views reload.
        self.env["nameko.live"]._send(begun)


@Websocket.onclose
def forget_connection(env: api.Environment, websocket: Websocket) -> None:
    """Delete a browser's subscriptions. Odoo also calls it for databases without this addon."""
    connection = _connections.get(websocket)
    if connection and "nameko.live.viewer" in env:
        env["nameko.live.viewer"]._note(connection, [])


def _is_live(channel: Any) -> bool:
    return isinstance(channel, str) and channel.startswith(PREFIX)
