"""Services that have had a queue on the broker, and whether that queue is gone now.

The queue of a Nameko service is durable: it is gone only if its RabbitMQ node is down, or if it was
deleted. So jobs of a service that once had a queue wait for it: every few seconds one of them is
sent, to check whether the queue is back. The others stay pending.
"""

from odoo import api, fields, models


class NamekoRoute(models.Model):
    """The relay writes these with `job_store.routes`, in the transactions that send jobs."""

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
        """Return the services whose queue is gone."""
        return set(self.search([("away_since", "!=", False)]).mapped("service"))

    @api.model
    @api.private
    def is_known(self, service: str) -> bool:
        """Return whether a service has had a queue on the broker, or is in the catalogue."""
        known = bool(self.sudo().search_count([("service", "=", service)], limit=1))
        heard = self.env["nameko.service"].sudo()
        return known or bool(heard.search_count([("name", "=", service)], limit=1))
