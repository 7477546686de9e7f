"""Check whether a method accepts given arguments, by Python's rules, without error texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BY_POSITION = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
BY_NAME = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


class Signature:
    """The parameters of a method, and the arguments that a call would pass to it.

    parameters: a {"name", "kind"} for each, in order, with "default" if it has one; positional: how
    many arguments are passed by position; by_name: the names of the others
    """

    def __init__(
        self, parameters: Sequence[Mapping[str, Any]], positional: int, by_name: Sequence[str]
    ) -> None:
        kinds = {each["kind"] for each in parameters}
        self.places = [each["name"] for each in parameters if each["kind"] in BY_POSITION]
        self.positional = positional
        self._parameters = {each["name"]: each for each in parameters}
        self._by_name = frozenset(by_name)
        self._in_place = frozenset(self.places[:positional])
        self._takes_more = "VAR_POSITIONAL" in kinds
        self._takes_any_name = "VAR_KEYWORD" in kinds

    def has_room(self) -> bool:
        """Return whether the method accepts this many positional arguments."""
        return self._takes_more or self.positional <= len(self.places)

    def is_positional_only(self, name: str) -> bool:
        """Return whether this name cannot be used because its parameter is positional-only."""
        if self._kind(name) != "POSITIONAL_ONLY":
            return False
        is_filled = name in self._in_place or "default" in self._parameters[name]
        return not (self._takes_any_name and is_filled)

    def is_given_twice(self, name: str) -> bool:
        """Return whether a parameter that is passed by name is also passed by position."""
        return self._kind(name) == "POSITIONAL_OR_KEYWORD" and name in self._in_place

    def is_unknown(self, name: str) -> bool:
        """Return whether the method has no parameter for an argument of this name."""
        return not (self._takes_any_name or self._kind(name) in BY_NAME)

    def missing(self) -> Iterator[str]:
        """Yield the names of required parameters for which there is no argument."""
        for name, each in self._parameters.items():
            by_name = self._by_name if each["kind"] in BY_NAME else ()
            needed = each["kind"] in (*BY_POSITION, *BY_NAME) and "default" not in each
            if needed and name not in self._in_place and name not in by_name:
                yield name

    def _kind(self, name: str) -> str:
        return str(self._parameters[name]["kind"]) if name in self._parameters else ""
