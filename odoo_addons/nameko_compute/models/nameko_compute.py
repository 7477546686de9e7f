"""Computations: the example of a model whose button has a service do the work."""

import math
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..exceptions import UnusableResult


class NamekoCompute(models.Model):
    _name = "nameko.compute"
    _description = "Computation"
    _order = "id desc"
    _check_company_auto = True

    name = fields.Char(required=True, default=lambda self: self.env._("New computation"))
    value = fields.Float(digits=False, required=True)
    other = fields.Float(digits=False, required=True)
    result = fields.Float(digits=False, readonly=True, copy=False)
    state = fields.Selection(
        [("draft", "Draft"), ("done", "Done"), ("failed", "Failed")],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        index=True,
    )
    error = fields.Text(readonly=True, copy=False)
    computed_by_id = fields.Many2one("res.users", readonly=True, copy=False)
    computed_at = fields.Datetime(readonly=True, copy=False)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )

    @api.constrains("value", "other")
    def _check_operands(self) -> None:
        for record in self:
            if not (math.isfinite(record.value) and math.isfinite(record.other)):
                raise ValidationError(
                    self.env._("“%s” has an operand that is not a number.", record.name)
                )

    @api.onchange("value", "other")
    def _onchange_operands(self) -> None:
        self.state = "draft"

    def action_suma(self) -> None:
        """Have the service `compute` add the operands, and write its answer.

        :raises exceptions.NamekoError: nothing is written then
        """
        for record in self:
            sum_of_operands = self.env["nameko.rpc"].call(
                "compute", "method", _wire_number(record.value), _wire_number(record.other)
            )
            record._write_result(sum_of_operands)

    def _write_result(self, answer: Any) -> None:
        self.write(
            {
                "result": self._to_number(answer),
                "state": "done",
                "error": False,
                "computed_by_id": self.env.uid,
                "computed_at": fields.Datetime.now(),
            }
        )

    def _to_number(self, answer: Any) -> float:
        """Take an answer only where the field shows the very same number."""
        if isinstance(answer, int | float) and not isinstance(answer, bool):
            try:
                if math.isfinite(answer) and float(answer) == answer:
                    return float(answer)
            except OverflowError:
                pass
        raise UnusableResult(
            self.env._("The service answered %s, which the result cannot hold.", repr(answer)[:100])
        )


def _wire_number(value: float) -> int | float:
    """Send a whole number as an integer, so that the service computes exactly."""
    return int(value) if value.is_integer() else value
