"""What the functions of this room need of a database cursor; Odoo's has it."""

from __future__ import annotations

from typing import Any, Protocol


class Cursor(Protocol):
    """A cursor in the caller's transaction, which the caller commits."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""

    def execute(self, query: Any, params: Any = None) -> Any:
        """Run a statement."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
