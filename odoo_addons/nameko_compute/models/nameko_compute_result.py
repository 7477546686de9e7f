"""The model `nameko.compute`: only code writes a result; changing an operand removes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from odoo import api, models
from odoo.exceptions import AccessError

OPERANDS = frozenset(("operation", "value", "other"))


class NamekoCompute(models.Model):
    _inherit = "nameko.compute"

    @api.model
    def _fresh_values(self) -> dict[str, Any]:
        """Return the values of a computation without a result, for the fields only code writes."""
        return {
            "state": "draft",
            "result": 0,
            "error": False,
            "computed_by_id": False,
            "computed_at": False,
        }

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "NamekoCompute":
        """Create computations without a result, whatever defaults the context or the user has.

        :raises odoo.exceptions.AccessError: the values set a field that only code writes
        """
        if not self.env.su:
            fresh = self._fresh_values()
            self._refuse_values({name for vals in vals_list for name in _set(vals, fresh)})
            vals_list = [{**vals, **fresh} for vals in vals_list]
        return super().create(vals_list)

    def write(self, vals: dict[str, Any]) -> bool:
        """Write the values; remove the results of records whose operands change.

        :raises odoo.exceptions.AccessError: the values set a field that only code writes
        """
        fresh = self._fresh_values()
        if not self.env.su:
            self._refuse_values(fresh.keys() & vals.keys())
        changed = self._changed_by(vals)
        if changed:
            changed.check_access("write")
            changed.sudo()._abandon_result()
        result = super().write(vals)
        if "company_id" in vals:
            self.check_access("write")  # the user must have access to the new company
        if changed:
            changed.sudo().write({name: fresh[name] for name in fresh if name not in vals})
        return result

    @api.model
    def _refuse_values(self, names: Iterable[str]) -> None:
        labels = [self._fields[name]._description_string(self.env) for name in sorted(names)]
        if labels:
            raise AccessError(
                self.env._("Only the computation itself writes: %s", ", ".join(labels))
            )

    def _changed_by(self, vals: Mapping[str, Any]) -> "NamekoCompute":
        """Return the records whose operands these values change."""
        names = OPERANDS & vals.keys()
        return self.filtered(
            lambda record: any(record._differs(name, vals[name]) for name in names)
        )

    def _differs(self, name: str, value: Any) -> bool:
        field = self._fields[name]
        return bool(field.convert_to_cache(value, self, validate=False) != self[name])

    def _abandon_result(self) -> None:
        """Prepare for a change of operands; called with superuser rights. Extended by jobs."""


def _set(vals: Mapping[str, Any], fresh: Mapping[str, Any]) -> Iterable[str]:
    """Return the names of values that differ from those of a record without a result."""
    return (name for name in fresh if (vals.get(name) or fresh[name]) != fresh[name])
