"""Where no relay runs, a scheduled action keeps the catalogue."""

import logging

from odoo import api, models
from odoo.exceptions import AccessError

_logger = logging.getLogger(__name__)


class NamekoInstance(models.Model):
    _inherit = "nameko.instance"

    @api.model
    def _cron_keep(self) -> None:
        """Write the beats that came since the last run, and who is missed, unless a relay does."""
        if not self.env.su:
            raise AccessError(self.env._("Only a scheduled action may do this."))
        if self.env["nameko.job"]._relay_runs():
            return
        from ...relay.catalogue import keep_once  # noqa: PLC0415  loads amqp

        # The work goes on in transactions of its own.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        keep_once(self.env.cr.dbname)
