"""What the web client is told when it starts: which models have live views."""

from typing import Any

from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self) -> dict[str, Any]:
        info = super().session_info()
        if self.env.user._is_internal():
            info["nameko_live_models"] = self.env["nameko.live"]._models()
        return info
