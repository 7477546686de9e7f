"""What an expression of a server action sees of a record: its fields, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from odoo.exceptions import AccessError
from odoo.models import BaseModel

from .translate import _lt

TO_MANY = ("one2many", "many2many")
FIELD_STEPS = 1  # that reading a field costs, of which an expression has 50,000
MANY_STEPS = 100  # for the rights to the records of a to-many field
LINE_STEPS = 1  # for each of these


class BeyondLimitError(AccessError):
    """The user may read it, but not the one to whose rights an expression is held as well."""


@contextmanager
def _as_beyond_limit() -> Iterator[None]:
    """Raise BeyondLimitError for the AccessError of the block."""
    try:
        yield
    except AccessError as error:
        raise BeyondLimitError(str(error)) from error


class Limit:
    """The rights of another user, in all companies of theirs."""

    def __init__(self, user: BaseModel) -> None:
        self._user = user.sudo()
        self._companies = self._user.company_ids.ids

    def of(self, records: BaseModel) -> BaseModel:
        """Return the records with these rights."""
        limited = records.with_user(self._user.id)
        return limited.with_context(allowed_company_ids=self._companies)

    def check_access(self, records: BaseModel) -> None:
        """Raise BeyondLimitError where the user may not read these records."""
        with _as_beyond_limit():
            self.of(records).check_access("read")

    def check_field(self, records: BaseModel, name: str) -> None:
        """Raise BeyondLimitError where the user may not read this field."""
        with _as_beyond_limit():
            self.of(records)._check_field_access(records._fields[name], "read")

    def check_value(self, records: BaseModel, name: str, value: Any) -> None:
        """Raise BeyondLimitError where the field has another value for the user than this one.

        Those of a company, and computed ones, may hold what only the reader may know.
        """
        if records._fields[name].type in TO_MANY:
            return  # of which each line is looked at
        limited = self.of(records).with_company(records.env.company)
        with _as_beyond_limit():
            is_same = limited[name] == value
        if not is_same:
            raise BeyondLimitError(records.env._("The field %s has another value for them.", name))


class RecordView:
    """Records whose fields can be read as the user may read them, and within a limit.

    There is no way from here to `env`, `sudo` or a method: the author of an expression gets no
    rights that the one who runs it lacks. Fields of relations are views, too; those of no record
    are False, as in Odoo.
    """

    # Mangled to names that begin with an underscore, which expressions may not use.
    __slots__ = ("__limit", "__readable", "__records")

    def __init__(
        self, records: BaseModel, limit: Limit | None = None, readable: bool = False
    ) -> None:
        """:param readable: whether the right to read the records was looked at already"""
        self.__records = records.sudo(False)
        self.__limit = limit
        self.__readable = readable

    def __getattr__(self, name: str) -> Any:
        return self.read_field(name)

    def read_field(self, name: str, spend: Callable[[int], None] = lambda steps: None) -> Any:
        """Read a field; `id` and `ids` need no right to read the record.

        :param spend: called with what it costs, in steps, before that is done
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
        """Check the rights: the cache, which may hold what others have read, asks for none."""
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
        if not isinstance(key, int | slice):  # a text would read a field past all checks
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
        """Called by kombu, to send it."""
        raise TypeError(_lt("%s is a record: send its id, or fields of it", repr(self)))


def _viewed(value: Any, limit: Limit | None) -> Any:
    if isinstance(value, BaseModel):
        return RecordView(value, limit)
    if isinstance(value, Mapping):
        return {key: _viewed(each, limit) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_viewed(each, limit) for each in value]
    return value
