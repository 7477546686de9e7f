"""The parameters of the method that a server action calls, with an expression for each."""

import keyword
from typing import Any

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...action.expression.evaluate import fault


class NamekoActionParameter(models.Model):
    _name = "nameko.action.parameter"
    _description = "Parameter of a Nameko Call"
    _order = "sequence, id"

    action_id = fields.Many2one("ir.actions.server", required=True, ondelete="cascade", index=True)
    sequence = fields.Integer()
    name = fields.Char("Parameter", required=True)
    kind = fields.Selection(
        [("keyword", "By name"), ("positional", "By position")],
        "Passed",
        default="keyword",
        required=True,
        help="By position: sent without its name, in the order of the rows.",
    )
    value = fields.Char(
        help="An expression, such as record.name or 'text'. Empty: the method's own default."
    )
    expected = fields.Char(compute="_compute_expected")

    @api.depends("name", "action_id.nameko_method_id")
    def _compute_expected(self) -> None:
        for row in self:
            row.expected = row.action_id.sudo().nameko_method_id._shown_parameter(row.name)

    @api.constrains("name")
    def _check_name(self) -> None:
        for row in self:
            if not row.name.isidentifier() or keyword.iskeyword(row.name):
                raise ValidationError(
                    self.env._("“%s” cannot be the name of a parameter.", row.name)
                )

    @api.constrains("name", "action_id")
    def _check_once(self) -> None:
        for names in (action.nameko_parameter_ids.mapped("name") for action in self.action_id):
            if len(names) > len(set(names)):
                raise ValidationError(
                    self.env._("Each parameter may have only one row: %s", ", ".join(names))
                )

    @api.constrains("value")
    def _check_value(self) -> None:
        for row in self:
            row._check_expression(row.name, row.value)

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "NamekoActionParameter":
        """Let only users who may design the action add rows; the same applies to changes."""
        rows = super().create(vals_list)
        rows._check_designer()
        rows.action_id._nameko_note_designer()
        return rows

    def write(self, vals: dict[str, Any]) -> bool:
        """Check before and after: a row may move from one action to another."""
        self._check_designer()
        before = self.action_id
        result = super().write(vals)
        self._check_designer()
        (before | self.action_id)._nameko_note_designer()
        return result

    def unlink(self) -> bool:
        self._check_designer()
        self.action_id._nameko_note_designer()
        return super().unlink()

    def _check_designer(self) -> None:
        """Raise AccessError if this user may not design the actions of these rows."""
        if self:
            self.check_access("read")
            self.action_id._check_nameko_designer()

    @api.model
    def _check_expression(self, name: str, expression: Any) -> None:
        if expression and (reason := fault(expression)):
            raise ValidationError(
                self.env._(
                    "%(name)s: “%(expression)s” is not a valid expression: %(reason)s",
                    name=name,
                    expression=expression,
                    reason=str(reason),
                )
            )
