"""Read-only views through which expressions of server actions see records: fields only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from odoo.exceptions import AccessError
from odoo.models import BaseModel

from .translate import _lt

TO_MANY = ("one2many", "many2many")
FIELD_STEPS = 1  # the cost of reading a field; an expression has 50,000 steps
MANY_STEPS = 100  # for checking the access rights of a to-many field's records
LINE_STEPS = 1  # for each of those records


class BeyondLimitError(AccessError):
    """The user may read it, but the other user whose rights limit the expression may not."""


@contextmanager
def _as_beyond_limit() -> Iterator[None]:
    """Raise BeyondLimitError for the AccessError of the block."""
    try:
        yield
    except AccessError as error:
        raise BeyondLimitError(str(error)) from error


class Limit:
    """The access rights of another user, in all companies of that user."""

    def __init__(self, user: BaseModel) -> None:
        self._user = user.sudo()
        self._companies = self._user.company_ids.ids

    def of(self, records: BaseModel) -> BaseModel:
        """Return the records with the rights of that user."""
        limited = records.with_user(self._user.id)
        return limited.with_context(allowed_company_ids=self._companies)

    def check_access(self, records: BaseModel) -> None:
        """Raise BeyondLimitError if that user may not read these records."""
        with _as_beyond_limit():
            self.of(records).check_access("read")

    def check_field(self, records: BaseModel, name: str) -> None:
        """Raise BeyondLimitError if that user may not read this field."""
        with _as_beyond_limit():
            self.of(records)._check_field_access(records._fields[name], "read")

    def check_value(self, records: BaseModel, name: str, value: Any) -> None:
        """Raise BeyondLimitError if the field does not have this value for that user.

        Company-dependent and computed fields may show a user what others may not know.
        """
        if records._fields[name].type in TO_MANY:
            return  # RecordView checks each of its records
        limited = self.of(records).with_company(records.env.company)
        with _as_beyond_limit():
            is_same = limited[name] == value
        if not is_same:
            raise BeyondLimitError(records.env._("The field %s has another value for them.", name))


class RecordView:
    """Records whose fields can be read with the rights of the user, and within a limit.

    A view gives no access to `env`, `sudo` or methods: the author of an expression gets no rights
    that the user who runs it lacks. Relational fields are views too; fields of an empty recordset
    are False, as in Odoo.
    """

    # Mangled to names that begin with an underscore, which expressions may not use.
    __slots__ = ("__limit", "__readable", "__records")

    def __init__(
        self, records: BaseModel, limit: Limit | None = None, readable: bool = False
    ) -> None:
        """:param readable: whether read access to the records was already checked"""
        self.__records = records.sudo(False)
        self.__limit = limit
        self.__readable = readable

    def __getattr__(self, name: str) -> Any:
        return self.read_field(name)

    def read_field(self, name: str, spend: Callable[[int], None] = lambda steps: None) -> Any:
        """Return the value of a field; `id` and `ids` need no read access to the record.

        :param spend: called with the cost, in steps, before each read
        :raises odoo.exceptions.AccessError: the user may not read the record or the field
        :raises AttributeError: there is no such field
        """
        records = self.__records
        if name in ("id", "ids"):
            return getattr(records, name)
        field = records._fields.get(name)
        if field is None:
            raise AttributeError(
                _lt("%(model)s has no field %(name)s", model=records._name, name=name)
            )
        spend(FIELD_STEPS)
        self.__check(name)
        value = records[name]
        if self.__limit and (field.company_dependent or not field.store):
            self.__limit.check_value(records, name, value)
        if field.type in TO_MANY:
            spend(MANY_STEPS + LINE_STEPS * len(value))
            return RecordView(self.__lines(value), self.__limit, readable=True)
        return _viewed(value, self.__limit)

    def __check(self, name: str) -> None:
        """Check the access rights: Odoo does not check them for values that are in its cache."""
        records, limit = self.__records, self.__limit
        if not self.__readable:
            records.check_access("read")
            if limit:
                limit.check_access(records)
            self.__readable = True
        records._check_field_access(records._fields[name], "read")
        if limit:
            limit.check_field(records, name)

    def __lines(self, records: BaseModel) -> BaseModel:
        readable = records._filtered_access("read")
        if self.__limit:
            ids = set(self.__limit.of(readable)._filtered_access("read").ids)
            readable = readable.filtered(lambda record: record.id in ids)
        return readable

    def __iter__(self) -> Iterator[RecordView]:
        return (RecordView(each, self.__limit, self.__readable) for each in self.__records)

    def __len__(self) -> int:
        return len(self.__records)

    def __getitem__(self, key: int | slice) -> RecordView:
        if not isinstance(key, int | slice):  # a field name would read the field unchecked
            raise TypeError(_lt("records are taken by their numbers"))
        return RecordView(self.__records[key], self.__limit, self.__readable)

    def __contains__(self, other: object) -> bool:
        return isinstance(other, RecordView) and other.__records in self.__records

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordView) and self.__records == other.__records

    def __hash__(self) -> int:
        return hash(self.__records)

    def __repr__(self) -> str:
        return repr(self.__records)

    def __json__(self) -> Any:
        """Raise TypeError: kombu calls this to encode a value, and records cannot be sent."""
        raise TypeError(_lt("%s is a record: send its id, or fields of it", repr(self)))


def _viewed(value: Any, limit: Limit | None) -> Any:
    if isinstance(value, BaseModel):
        return RecordView(value, limit)
    if isinstance(value, Mapping):
        return {key: _viewed(each, limit) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_viewed(each, limit) for each in value]
    return value
