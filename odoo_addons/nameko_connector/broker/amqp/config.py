"""The settings of the broker: its address, timeouts, sizes and TLS files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

PORTS = {"amqp": 5672, "pyamqp": 5672, "amqps": 5671}


class InvalidBrokerConfig(ValueError):
    """A broker setting has an invalid value; the message says which one and why."""


@dataclass(frozen=True)
class BrokerConfig:
    """How to reach the broker. All times are seconds.

    uri: amqp://user:password@host:port/vhost, or amqps:// for TLS.
    timeout: how long a call may take in total, from connecting to the reply.
    connect_timeout: how much of that time connecting may take.
    pool_size: the most connections of one process, and so its most concurrent calls.
    idle_seconds: a connection that is idle for longer is closed.
    window: the most requests of one `call_many` that wait for a reply at the same time.
    max_message_bytes: the largest body of a request or reply; RabbitMQ 4 accepts 16 MiB by default.
    ca_file, cert_file, key_file: PEM files for amqps; without ca_file, the system's certificate
        authorities are trusted.
    """

    uri: str = field(default="amqp://guest:guest@localhost:5672/", repr=False)
    timeout: float = 5.0
    connect_timeout: float = 3.0
    pool_size: int = 16
    idle_seconds: float = 60.0
    window: int = 100
    max_message_bytes: int = 15_000_000
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        for name in ("timeout", "connect_timeout", "idle_seconds"):
            _check_positive(name, getattr(self, name))
        for name in ("pool_size", "window", "max_message_bytes"):
            _check_positive(name, getattr(self, name))
        for name in ("ca_file", "cert_file", "key_file"):
            _check_readable(name, getattr(self, name))
        if self.key_file and not self.cert_file:
            raise InvalidBrokerConfig("Broker setting key_file is given without cert_file.")
        if (self.ca_file or self.cert_file) and not self.tls:
            raise InvalidBrokerConfig("Broker settings ca_file and cert_file need an amqps:// URI.")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> BrokerConfig:
        """Return the settings from strings, as from a configuration file or the environment.

        The keys are the names above; empty values are ignored. Raise InvalidBrokerConfig.
        """
        known = {each.name: each.type for each in fields(cls)}
        unknown = sorted(set(mapping) - set(known))
        if unknown:
            raise InvalidBrokerConfig(
                f"Unknown broker setting {unknown[0]!r}. Known are: {', '.join(sorted(known))}."
            )
        given = {name: value for name, value in mapping.items() if value not in ("", None, False)}
        return cls(**{name: _parse(name, value, known[name]) for name, value in given.items()})

    @cached_property
    def _parts(self) -> SplitResult:
        return urlsplit(self.uri)

    @property
    def tls(self) -> bool:
        return self._parts.scheme == "amqps"

    @property
    def host(self) -> str:
        return unquote(self._parts.hostname or "localhost")

    @property
    def port(self) -> int:
        return self._parts.port or PORTS[self._parts.scheme]

    @property
    def user(self) -> str:
        return unquote(self._parts.username or "guest")

    @property
    def password(self) -> str:
        return unquote(self._parts.password or "guest")

    @property
    def virtual_host(self) -> str:
        return unquote(self._parts.path[1:]) or "/"

    @property
    def address(self) -> str:
        """The URI without the password, for messages and logs."""
        path = self._parts.path or "/"
        return f"{self._parts.scheme}://{self.user}@{self.host}:{self.port}{path}"


def _parse(name: str, value: Any, wanted: Any) -> Any:
    if wanted == "str":
        return str(value)
    try:
        return int(value) if wanted == "int" else float(value)
    except (TypeError, ValueError):
        kind = "a whole number" if wanted == "int" else "a number"
        raise InvalidBrokerConfig(f"Broker setting {name} is {value!r}, not {kind}.") from None


def _check_uri(uri: str) -> None:
    """Raise InvalidBrokerConfig for an invalid URI; the messages never quote the password."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        raise InvalidBrokerConfig(
            "The broker's address (amqp_uri) has no valid host and port; is a / or @ of the "
            "password written as it is, instead of %2F or %40?"
        ) from None
    if parts.scheme not in PORTS:
        raise InvalidBrokerConfig(
            "The broker's address (amqp_uri) must start with amqp:// or amqps://."
        )
    if not parts.hostname or ";" in uri or "," in parts.netloc:
        raise InvalidBrokerConfig("The broker's address (amqp_uri) must name one host.")
    if parts.query or parts.fragment:
        raise InvalidBrokerConfig(
            "The broker's address (amqp_uri) takes no ?options and no #; TLS files have settings "
            "of their own."
        )


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise InvalidBrokerConfig(f"Broker setting {name} is {value!r}; it must be above 0.")


def _check_readable(name: str, path: str) -> None:
    if path and not os.access(path, os.R_OK):
        raise InvalidBrokerConfig(f"Broker setting {name}: the file {path!r} cannot be read.")
