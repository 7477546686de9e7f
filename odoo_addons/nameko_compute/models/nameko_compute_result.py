"""Computations: a result is written by the code alone, and belongs to the operands it is of."""

from collections.abc import Iterable, Mapping
from typing import Any

from odoo import api, models
from odoo.exceptions import AccessError

OPERANDS = frozenset(("operation", "value", "other"))


class NamekoCompute(models.Model):
    _inherit = "nameko.compute"

    @api.model
    def _fresh_values(self) -> dict[str, Any]:
        """Return what a computation without a result has in the fields that the code writes."""
        return {
            "state": "draft",
            "result": 0,
            "error": False,
            "computed_by_id": False,
            "computed_at": False,
        }

    @api.model_create_multi
    def create(self, vals_list: list[dict[str, Any]]) -> "NamekoCompute":
        """Begin without a result, whatever defaults the context or the user has.

        :raises odoo.exceptions.AccessError: the values say otherwise
        """
        if not self.env.su:
            fresh = self._fresh_values()
            self._refuse_values({name for vals in vals_list for name in _set(vals, fresh)})
            vals_list = [{**vals, **fresh} for vals in vals_list]
        return super().create(vals_list)

    def write(self, vals: dict[str, Any]) -> bool:
        """Drop the results of other operands than those that are written.

        :raises odoo.exceptions.AccessError: for what the code alone writes
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
            self.check_access("write")  # nobody moves a record to a company that is not theirs
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
        """Do, with all rights, what is to be done before these records' operands change."""


def _set(vals: Mapping[str, Any], fresh: Mapping[str, Any]) -> Iterable[str]:
    """Return the names of the values that differ from those of a fresh record."""
    return (name for name in fresh if (vals.get(name) or fresh[name]) != fresh[name])
