"""Read the broker's settings from the environment or, if missing there, from odoo.conf."""

import configparser
import os
from functools import lru_cache

from odoo.tools import config

from ..broker.amqp.config import BrokerConfig, InvalidBrokerConfig

SECTION = "nameko"
PREFIX = "nameko_"
ENVIRONMENT = {
    "AMQP_URI": "amqp_uri",
    "NAMEKO_TIMEOUT": "timeout",
    "NAMEKO_CONNECT_TIMEOUT": "connect_timeout",
    "NAMEKO_MAX_MESSAGE_BYTES": "max_message_bytes",
    "RABBITMQ_MANAGEMENT_URI": "management_uri",
}
HELP = "Set AMQP_URI in the environment, or amqp_uri in the section [nameko] of odoo.conf."


@lru_cache
def broker_config() -> BrokerConfig:
    """Return the settings of the broker, read once per process.

    :raises InvalidBrokerConfig: no broker is configured, or a value is invalid
    """
    settings = _settings()
    settings.pop("management_uri", None)
    if not settings.get("amqp_uri"):
        raise InvalidBrokerConfig(f"No broker is configured. {HELP}")
    return BrokerConfig.from_mapping({"uri": settings.pop("amqp_uri"), **settings})


def max_message_bytes() -> int:
    """Return the largest size of a request in bytes, the default if no broker is configured."""
    try:
        return broker_config().max_message_bytes
    except InvalidBrokerConfig:
        return BrokerConfig().max_message_bytes


def management_uri() -> str:
    """Return the address of RabbitMQ's management API with its login; "" if there is none."""
    return _settings().get("management_uri", "")


def broker_source() -> str:
    """Return where the broker's address is set; "" if there is none."""
    if "amqp_uri" in _environment():
        return "AMQP_URI"
    if _section().get("amqp_uri"):
        return "odoo.conf, [nameko] amqp_uri"
    return "odoo.conf, [options] nameko_amqp_uri" if _options().get("amqp_uri") else ""


def _settings() -> dict[str, str]:
    return {**_options(), **_section(), **_environment()}


def _options() -> dict[str, str]:
    """Read `nameko_*` from odoo.conf's [options]."""
    return {
        name.removeprefix(PREFIX): str(config[name])
        for name in config.options
        if name.startswith(PREFIX)
    }


def _section() -> dict[str, str]:
    """Read odoo.conf's section [nameko]."""
    parser = configparser.RawConfigParser()
    parser.read([config["config"]])
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}


def _environment() -> dict[str, str]:
    return {
        option: os.environ[variable]
        for variable, option in ENVIRONMENT.items()
        if os.environ.get(variable)
    }
