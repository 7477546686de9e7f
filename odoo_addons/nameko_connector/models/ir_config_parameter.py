"""Refuse invalid values of this addon's system parameters."""

from odoo import api, models
from odoo.exceptions import ValidationError

from ..tools.parameters import JOB_RETRY_DELAYS, NUMBERS, delays_of


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.constrains("key", "value")
    def _check_nameko_value(self) -> None:
        numbers = {number.key: number for number in NUMBERS}
        for parameter in self:
            number = numbers.get(parameter.key)
            if number and not number.takes(parameter.value):
                text = self.env._(
                    "The system parameter %(key)s is “%(value)s”: it must be a number above 0, and "
                    "at most %(most)s.",
                    key=parameter.key,
                    value=parameter.value,
                    most=f"{number.most:,}",
                )
                raise ValidationError(text)
            if parameter.key == JOB_RETRY_DELAYS and not delays_of(parameter.value or ""):
                text = self.env._(
                    "The system parameter %(key)s is “%(value)s”: it must be seconds, separated by "
                    "commas, as “10, 60, 300”.",
                    key=parameter.key,
                    value=parameter.value,
                )
                raise ValidationError(text)
