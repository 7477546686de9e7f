"""A field for integers that people enter."""

from typing import Any

from odoo import fields, models
from odoo.exceptions import ValidationError

MOST = 2**31 - 1  # that PostgreSQL's int4 holds


class Int4(fields.Integer):
    """An integer that refuses, by its label, what its column cannot hold.

    A constraint comes too late: it runs after the row was written.
    """

    def convert_to_column(
        self, value: Any, record: models.BaseModel, values: Any = None, validate: bool = True
    ) -> Any:
        """Return what a new row holds."""
        return self._checked(super().convert_to_column(value, record, values, validate), record)

    def convert_to_cache(self, value: Any, record: models.BaseModel, validate: bool = True) -> Any:
        """Return what a record holds; a form that is being filled may hold more."""
        value = super().convert_to_cache(value, record, validate)
        return self._checked(value, record) if any(record._ids) else value

    def _checked(self, value: Any, record: models.BaseModel) -> Any:
        if value is not None and abs(value) > MOST:
            raise ValidationError(
                record.env._(
                    "“%(field)s” is %(value)s: it must be between -%(most)s and %(most)s.",
                    field=self._description_string(record.env),
                    value=str(value)[:100],
                    most=f"{MOST:,}",
                )
            )
        return value
