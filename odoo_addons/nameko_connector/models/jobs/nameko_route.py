"""Services that have had a queue on the broker, and those of them whose queue is gone.

A service of Nameko's has its queue for good: it is only away with the broker's node that holds it,
or because somebody deleted it. So the jobs of a service that was there once wait for it: every few
seconds one of them is sent to see whether it is back, the others stay pending.
"""

from odoo import api, fields, models


class NamekoRoute(models.Model):
    """Kept by the relay, with `job_store.routes`, in the transactions in which it sends jobs."""

    _name = "nameko.route"
    _description = "Known Queue of a Service"
    _rec_name = "service"
    _order = "service"

    service = fields.Char(required=True, readonly=True)
    away_since = fields.Datetime(readonly=True, help="Empty while the service has its queue.")
    look_at = fields.Datetime("Tried Again At", readonly=True)

    _once = models.UniqueIndex("(service)")

    @api.model
    def _away(self) -> set[str]:
        """Return the services whose queue is missed."""
        return set(self.search([("away_since", "!=", False)]).mapped("service"))

    @api.model
    @api.private
    def is_known(self, service: str) -> bool:
        """Tell whether a service has had a queue on the broker, or was heard of."""
        known = bool(self.sudo().search_count([("service", "=", service)], limit=1))
        heard = self.env["nameko.service"].sudo()
        return known or bool(heard.search_count([("name", "=", service)], limit=1))
