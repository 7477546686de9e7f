"""Parse heartbeats ("beats"): which instances run, with which services and methods.

Any client that may publish on the broker can send anything as a beat. This module drops invalid
messages, and limits texts to a size and to characters that PostgreSQL can store.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, NoReturn, TypeVar

from ..amqp.reading import UNREADABLE
from ..jobs.reply import Delivery, text_of

MOST_BYTES = 256 * 1024  # of a beat
MOST_SERVICES = 100  # of an instance
MOST_METHODS = 500  # of a service
MOST_RUNNING = 100  # methods
MOST_PARAMETERS = 100  # of a method
LONGEST_NAME = 200
LONGEST_TEXT = 10_000
LONGEST_DEFAULT = 1_000
INTERVALS = (0.05, 900.0)  # s between two beats of an instance
NAME = re.compile(r"[\w-]+")
KINDS = (
    "POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "KEYWORD_ONLY", "VAR_KEYWORD",
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """The description of a service in a beat.

    methods: {"name", "doc", "parameters"} for each; `parameters` is a list of {"name", "kind"}, as
    in `inspect`, with "annotation" and "default" if there are any.
    """

    name: str
    doc: str
    methods: tuple[dict[str, Any], ...]

    @cached_property
    def fingerprint(self) -> str:
        """A hash that is the same for equal descriptions of the service."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True)
class Beat:
    """A heartbeat of an instance, that is, of a process that runs services.

    started: in UTC, without a time zone; interval: seconds until the next beat; stopping: whether
    this is the last beat before a regular stop; running: how many calls of each method run, as a
    text; size: of the message, in bytes. Comparisons ignore `running` and `size`.
    """

    uuid: str
    host: str
    pid: int
    version: str
    started: datetime
    interval: float
    services: tuple[Service, ...]
    stopping: bool = False
    running: str = field(default="", repr=False, compare=False)
    size: int = field(default=0, repr=False, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """A hash that is the same for equal beats."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def read_beat(delivery: Delivery) -> Beat | None:
    """Return the beat in a message, or None if the message is not a valid beat."""
    try:
        if len(delivery.body) > MOST_BYTES:
            return None
        beat = _beat(json.loads(text_of(delivery), parse_constant=_refuse))
        return replace(beat, size=len(delivery.body))
    except UNREADABLE:
        return None


def _beat(raw: Any) -> Beat:
    return Beat(
        uuid=str(uuid.UUID(raw["id"])),
        host=_text(raw["host"], LONGEST_NAME),
        pid=_integer(raw["pid"]),
        version=_text(raw["version"], LONGEST_NAME),
        started=_moment(raw["started"]),
        interval=min(max(_number(raw["interval"]), INTERVALS[0]), INTERVALS[1]),
        services=_several(_service, raw["services"], MOST_SERVICES),
        stopping=raw.get("stopping") is True,
        running=_running(raw.get("running", {})),
    )


def _service(raw: Any) -> Service:
    methods = _several(_method, raw["methods"], MOST_METHODS)
    return Service(_name(raw["name"]), _text(raw["doc"]), methods)


def _running(raw: Any) -> str:
    """Return how many calls of each `service.method` run, as a text for users."""
    if not isinstance(raw, dict) or len(raw) > MOST_RUNNING:
        raise ValueError("no methods that run")
    return ", ".join(f"{_called(name)}: {_integer(count)}" for name, count in raw.items())


def _called(raw: str) -> str:
    service, _, method = raw.partition(".")
    return f"{_name(service)}.{_name(method)}"


def _method(raw: Any) -> dict[str, Any]:
    parameters = _several(_parameter, raw["parameters"], MOST_PARAMETERS)
    return {
        "name": _name(raw["name"]),
        "doc": _text(raw["doc"]),
        "parameters": list(parameters),
    }


def _parameter(raw: Any) -> dict[str, Any]:
    parameter = {"name": _name(raw["name"]), "kind": raw["kind"]}
    if parameter["kind"] not in KINDS:
        raise ValueError("unknown kind of parameter")
    if "annotation" in raw:
        parameter["annotation"] = _text(raw["annotation"], LONGEST_NAME)
    if "default" in raw:
        parameter["default"] = _default(raw["default"])
    return parameter


def _several(read: Callable[[Any], T], raw: Any, most: int) -> tuple[T, ...]:
    """Return each item of a list, read; if two have the same name, the last one counts."""
    if not isinstance(raw, list) or len(raw) > most:
        raise ValueError(f"no list of at most {most}")
    by_name = {each["name"]: read(each) for each in raw}
    return tuple(by_name.values())


def _text(raw: Any, most: int = LONGEST_TEXT) -> str:
    if not isinstance(raw, str):
        raise TypeError("no text")
    raw.encode()  # raises for half a surrogate pair
    return raw.replace("\0", "")[:most]


def _name(raw: Any) -> str:
    if not NAME.fullmatch(raw) or len(raw) > LONGEST_NAME:
        raise ValueError("no name")
    return _text(raw)


def _integer(raw: Any) -> int:
    if type(raw) is not int or not 0 <= raw < 2**31:
        raise ValueError("no number of that kind")
    return raw


def _number(raw: Any) -> float:
    if type(raw) not in (int, float) or not math.isfinite(raw):
        raise ValueError("no number")
    return float(raw)


def _moment(raw: Any) -> datetime:
    moment = datetime.fromisoformat(_text(raw, LONGEST_NAME))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(timezone.utc).replace(tzinfo=None, microsecond=0)


def _default(raw: Any) -> Any:
    """Return the default; as a text if it is long or cannot be stored as JSON."""
    text = json.dumps(raw, allow_nan=False, ensure_ascii=False)
    text.encode()
    return text[:LONGEST_DEFAULT] if len(text) > LONGEST_DEFAULT or "\\u0000" in text else raw


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def newest(beats: Iterable[Beat]) -> list[Beat]:
    """Return the last beat of each instance, in order of arrival."""
    found: dict[str, Beat] = {}
    for beat in beats:
        found.pop(beat.uuid, None)
        found[beat.uuid] = beat
    return list(found.values())
