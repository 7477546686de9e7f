"""The names of the models with live views, in the session information of the web client."""

from typing import Any

from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self) -> dict[str, Any]:
        info = super().session_info()
        if self.env.user._is_internal():
            info["nameko_live_models"] = self.env["nameko.live"]._models()
        return info
