"""What an expression of a server action sees of a record: its fields, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from odoo.exceptions import AccessError
from odoo.models import BaseModel

TO_MANY = ("one2many", "many2many")


class BeyondLimitError(AccessError):
    """The user may read it, but not the one to whose rights an expression is held as well."""


class Limit:
    """The rights of another user, in all companies of theirs."""

    def __init__(self, user: BaseModel) -> None:
        self._user = user.sudo()
        self._companies = self._user.company_ids.ids

    def of(self, records: BaseModel) -> BaseModel:
        """Return the records with these rights."""
        limited = records.with_user(self._user.id)
        return limited.with_context(allowed_company_ids=self._companies)

    def check_read(self, records: BaseModel, name: str) -> None:
        """Raise BeyondLimitError where the user may not read this field of these records."""
        limited = self.of(records)
        try:
            limited.check_access("read")
            limited._check_field_access(limited._fields[name], "read")
        except AccessError as error:
            raise BeyondLimitError(str(error)) from error


class RecordView:
    """Records whose fields can be read as the user may read them, and within a limit.

    There is no way from here to `env`, `sudo` or a method: the author of an expression gets no
    rights that the one who runs it lacks. Fields of relations are views, too; those of no record
    are False, as in Odoo.
    """

    # Mangled to names with two underscores: safe_eval refuses those.
    __slots__ = ("__limit", "__records")

    def __init__(self, records: BaseModel, limit: Limit | None = None) -> None:
        self.__records = records.sudo(False)
        self.__limit = limit

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
        if self.__limit:
            self.__limit.check_read(records, name)
        value = records[name]
        return _viewed(self.__readable(value) if field.type in TO_MANY else value, self.__limit)

    def __readable(self, records: BaseModel) -> BaseModel:
        readable = records._filtered_access("read")
        if self.__limit:
            ids = set(self.__limit.of(readable)._filtered_access("read").ids)
            readable = readable.filtered(lambda record: record.id in ids)
        return readable

    def __iter__(self) -> Iterator[RecordView]:
        return (RecordView(record, self.__limit) for record in self.__records)

    def __len__(self) -> int:
        return len(self.__records)

    def __getitem__(self, key: int | slice) -> RecordView:
        return RecordView(self.__records[key], self.__limit)

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


def _viewed(value: Any, limit: Limit | None) -> Any:
    if isinstance(value, BaseModel):
        return RecordView(value, limit)
    if isinstance(value, Mapping):
        return {key: _viewed(each, limit) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_viewed(each, limit) for each in value]
    return value
