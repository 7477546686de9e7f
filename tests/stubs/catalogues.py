"""Services as the catalogue describes them."""

from typing import Any, NamedTuple


class Service(NamedTuple):
    """As `broker.beats.beat` has it."""

    name: Any
    doc: Any
    methods: tuple[dict[str, Any], ...]


def parameter(name: Any, kind: Any = "POSITIONAL_OR_KEYWORD", **described: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, **described}


def method(name: Any, *parameters: Any, doc: Any = "") -> dict[str, Any]:
    return {"name": name, "doc": doc, "parameters": list(parameters)}


PRICING = Service(
    "pricing",
    "Prices.",
    (
        method(
            "quote",
            parameter("order_id", annotation="int"),
            parameter("qty", annotation="int", default=1),
            doc="Quote a price.",
        ),
        method("currencies"),
    ),
)
