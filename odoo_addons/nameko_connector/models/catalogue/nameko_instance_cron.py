"""The scheduled action that updates the catalogue if no relay runs."""

import logging

from odoo import api, models
from odoo.exceptions import AccessError

_logger = logging.getLogger(__name__)


class NamekoInstance(models.Model):
    _inherit = "nameko.instance"

    @api.model
    def _cron_keep(self) -> None:
        """Write the beats in the queue, and mark silent instances, unless a relay runs."""
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        if self.env["nameko.job"]._relay_runs():
            return
        from ...relay.catalogue import keep_once  # noqa: PLC0415  loads amqp

        self.env["ir.cron"]._commit_progress()  # `keep_once` uses its own transactions
        keep_once(self.env.cr.dbname)
