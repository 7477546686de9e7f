"""What new jobs of a service or method get that do not set it themselves."""

from typing import Any

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import ormcache

from ...tools.fields import MOST, Int4
from ...tools.parameters import delays_of, retry_delays_text
from ..jobs.nameko_job import DEFAULT_PRIORITY
from .nameko_policy import NAMES

DEFAULTS = ("timeout", "max_attempts", "retry_delays", "has_priority", "priority")
Values = dict[str, Any]


class NamekoPolicy(models.Model):
    _inherit = "nameko.policy"

    timeout = fields.Float("Timeout (s)", aggregator=None, help="0: as in the settings.")
    max_attempts = Int4("Maximum Attempts", aggregator=None, help="0: as in the settings.")
    retry_delays = fields.Char(
        "Retry Delays (s)", help="Seconds, separated by commas. Empty: as in the settings."
    )
    has_priority = fields.Boolean("Own Priority")
    priority = Int4(default=DEFAULT_PRIORITY, aggregator=None, help="The lower, the earlier.")

    @api.constrains("timeout", "max_attempts")
    def _check_defaults(self) -> None:
        for policy in self:
            if not 0 <= policy.timeout <= MOST or policy.max_attempts < 0:
                text = self.env._(
                    "The timeout and the attempts are numbers above 0, or 0 for none."
                )
                raise ValidationError(text)

    @api.constrains("retry_delays")
    def _check_retry_delays(self) -> None:
        for policy in self.filtered("retry_delays"):
            if not delays_of(policy.retry_delays):
                raise ValidationError(
                    self.env._(
                        "The retry delays are seconds, separated by commas, as “10, 60, 300”; "
                        "“%s” is not.",
                        policy.retry_delays,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list: list[Values]) -> models.BaseModel:
        """Have every process read the defaults again."""
        self.env.registry.clear_cache()
        return super().create(vals_list)

    def write(self, vals: Values) -> bool:
        """Have every process read the defaults again, if they change."""
        if vals.keys() & {*DEFAULTS, *NAMES}:
            self.env.registry.clear_cache()
        written: bool = super().write(vals)
        return written

    def unlink(self) -> bool:
        """Have every process read the defaults again."""
        self.env.registry.clear_cache()
        unlinked: bool = super().unlink()
        return unlinked

    @api.model
    def _defaults(self, service: str, method: str) -> Values:
        """Return the columns that a new job of this method gets: the method's own come first."""
        known = self._all_defaults()
        return {**known.get((service, ""), {}), **known.get((service, method), {})}

    @api.model
    @ormcache()
    def _all_defaults(self) -> dict[tuple[str, str], Values]:
        """Return the defaults of all policies that have some, by service and method."""
        return {
            (policy.service, policy.method or ""): values
            for policy in self.sudo().search([])
            if (values := policy._own_defaults())
        }

    def _own_defaults(self) -> Values:
        values: Values = {}
        if self.timeout:
            values["timeout"] = self.timeout
        if self.max_attempts:
            values["max_attempts"] = self.max_attempts
        if self.retry_delays:
            values["retry_delays"] = retry_delays_text(delays_of(self.retry_delays))
        if self.has_priority:
            values["priority"] = self.priority
        return values


class NamekoRpc(models.AbstractModel):
    _inherit = "nameko.rpc"

    def _job_values(self, request: Any, common: Values) -> Values:
        """Let the policies of the method and the service come before the settings."""
        defaults = self.env["nameko.policy"]._defaults(request.service, request.method)
        return {**defaults, **super()._job_values(request, common)}
