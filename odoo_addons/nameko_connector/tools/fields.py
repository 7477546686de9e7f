"""A field for integers that users enter."""

from typing import Any

from odoo import fields, models
from odoo.exceptions import ValidationError

MOST = 2**31 - 1  # the largest int4 of PostgreSQL


class Int4(fields.Integer):
    """An integer that raises ValidationError, with its label, if its column cannot hold it.

    A constraint would be too late: it runs after the row was written.
    """

    def convert_to_column(
        self, value: Any, record: models.BaseModel, values: Any = None, validate: bool = True
    ) -> Any:
        """Return the value for a new row, checked."""
        return self._checked(super().convert_to_column(value, record, values, validate), record)

    def convert_to_cache(self, value: Any, record: models.BaseModel, validate: bool = True) -> Any:
        """Return the value for a record; in an unsaved form, it is not checked."""
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
