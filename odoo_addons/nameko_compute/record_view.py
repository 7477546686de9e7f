"""What an expression of a server action sees of a record: its fields, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from odoo.models import BaseModel

TO_MANY = ("one2many", "many2many")


class RecordView:
    """Records whose fields can be read as the user may read them.

    There is no way from here to `env`, `sudo` or a method: whoever writes an expression gets no
    rights that the one who runs it lacks. Fields of relations are views, too; those of no record
    are False, as in Odoo.
    """

    __slots__ = ("__records",)  # mangled to a name with two underscores: safe_eval refuses those

    def __init__(self, records: BaseModel) -> None:
        self.__records = records.sudo(False)

    def __getattr__(self, name: str) -> Any:
        """Read a field; `id` and `ids` need no right to read the record.

        :raises odoo.exceptions.AccessError: the user may not read the record or the field
        :raises AttributeError: there is no such field
        """
        records = self.__records
        if name in ("id", "ids"):
            return getattr(records, name)
        field = records._fields.get(name)
        if field is None:
            raise AttributeError(f"{records._name} has no field {name}")
        # The cache may hold what was read with more rights: it asks for none.
        records.check_access("read")
        records._check_field_access(field, "read")
        value = records[name]
        return _viewed(value._filtered_access("read") if field.type in TO_MANY else value)

    def mapped(self, path: str) -> list[Any]:
        """Give the values of a field such as `"name"` or `"partner_id.name"`, one per record."""
        name, _, rest = path.partition(".")
        # Not getattr: a path must not reach what Python keeps under a name.
        values = [RecordView.__getattr__(each, name) for each in self]
        if not rest:
            return values
        return [last for value in values for last in value.mapped(rest)]

    def __iter__(self) -> Iterator[RecordView]:
        return map(RecordView, self.__records)

    def __len__(self) -> int:
        return len(self.__records)

    def __getitem__(self, key: int | slice) -> RecordView:
        return RecordView(self.__records[key])

    def __contains__(self, other: object) -> bool:
        return isinstance(other, RecordView) and other.__records in self.__records

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordView) and self.__records == other.__records

    def __hash__(self) -> int:
        return hash(self.__records)

    def __repr__(self) -> str:
        return repr(self.__records)

    def __json__(self) -> Any:
        """Called by kombu, to send it."""
        raise TypeError(f"{self!r} is no value but a record; send its id, or fields of it")


def _viewed(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return RecordView(value)
    if isinstance(value, Mapping):
        return {key: _viewed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_viewed(each) for each in value]
    return value
