"""The websocket's channels of live views: for internal users, and noted while somebody listens."""

from collections.abc import Mapping
from typing import Any

from odoo import models
from odoo.addons.bus.websocket import wsrequest
from odoo.http import request

from .nameko_live import CHANNELS, KIND


class IrWebsocket(models.AbstractModel):
    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels: list[Any]) -> list[Any]:
        if not self.env.user._is_internal():
            channels = [channel for channel in channels if channel not in CHANNELS]
        return super()._build_bus_channel_list(channels)

    def _after_subscribe_data(self, data: dict[str, Any]) -> None:  # pylint: disable=missing-return
        super()._after_subscribe_data(data)
        session = (request or wsrequest).session
        heard = [channel for channel in CHANNELS if channel in data["channels"]]
        if self.env["nameko.live.viewer"]._note(session.sid, heard):
            # Nothing was sent before that: what has changed since the view was read is read again.
            self.env.user._bus_send(KIND, {"all": True})

    def _on_websocket_closed(  # pylint: disable=missing-return
        self, cookies: Mapping[str, str]
    ) -> None:
        super()._on_websocket_closed(cookies)
        if session_id := cookies.get("session_id"):
            self.env["nameko.live.viewer"]._note(session_id, [])
