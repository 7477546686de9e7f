"""The catalogue: instances, each one running process of services."""

from datetime import timedelta

from odoo import api, fields, models

from ...tools.parameters import INSTANCE_DAYS
from .nameko_service import INSTANCE_STATES


class NamekoInstance(models.Model):
    """Kept by the relay, from the events `beat` of the instances."""

    _name = "nameko.instance"
    _description = "Instance of services"
    _nameko_live = True
    _order = "state desc, host, pid"

    uuid = fields.Char("Instance", required=True, readonly=True)
    host = fields.Char(required=True, readonly=True)
    pid = fields.Integer("Process", readonly=True, aggregator=None)
    version = fields.Char(readonly=True)
    started = fields.Datetime(readonly=True, help="According to the clock of its machine.")
    last_seen = fields.Datetime(readonly=True, help="When its last beat was taken.")
    running = fields.Char(
        "Running Methods", readonly=True,
        help="The methods that were running at the last heartbeat, each with its number of calls.",
    )  # fmt: skip
    interval = fields.Float("Interval (s)", readonly=True, aggregator=None)
    state = fields.Selection(INSTANCE_STATES, required=True, readonly=True, default="up")
    late_since = fields.Datetime(readonly=True)
    fingerprint = fields.Char(
        readonly=True, help="A digest of what the instance last reported about itself."
    )
    method_names = fields.Json(
        readonly=True, help="The names of the methods of each of its services."
    )
    service_ids = fields.Many2many("nameko.service", string="Services", readonly=True)

    _once = models.Constraint("UNIQUE (uuid)", "An instance is in the catalogue once.")

    @api.depends("host", "pid")
    def _compute_display_name(self) -> None:
        for instance in self:
            instance.display_name = f"{instance.host}:{instance.pid}"

    @api.autovacuum
    def _gc_gone(self) -> None:
        """Delete instances that went or stopped long ago; their services stay."""
        keep = timedelta(days=INSTANCE_DAYS.value(self.env))
        limit = fields.Datetime.now() - keep
        self.search([("state", "in", ("gone", "stopped")), ("last_seen", "<", limit)]).unlink()
