"""Add to the session info which models have live views, and whether batches run."""

from typing import Any

from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self) -> dict[str, Any]:
        info = super().session_info()
        if self.env.user._is_internal():
            info["nameko_live_models"] = self.env["nameko.live"]._models()
            batches = self.env["nameko.batch"]
            if batches.has_access("read"):
                running = [("user_id", "=", self.env.uid), ("state", "=", "running")]
                info["nameko_has_batches"] = bool(batches.search_count(running, limit=1))
        return info
