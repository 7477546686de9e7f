"""Opening a connection, and saying in plain English why there is none."""

from __future__ import annotations

import socket
import ssl

import amqp

from . import errors
from .config import BrokerConfig
from .deadline import Deadline
from .wire import LOST, Wire


def connect(config: BrokerConfig, deadline: Deadline) -> Wire:
    """A connection that is ready for calls. Raises BrokerUnreachable or AccessRefused."""
    try:
        return Wire(config, deadline)
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        text = f"The broker at {config.address} refuses access: {error.reply_text}"
        raise errors.AccessRefused(text) from None
    except LOST as error:
        text = f"The broker at {config.address} cannot be reached: {reason(error)}"
        raise errors.BrokerUnreachable(text) from None


def reason(error: Exception) -> str:
    """What went wrong with a connection, as the end of a sentence."""
    if isinstance(error, TimeoutError):
        return "it does not answer."
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there. Is RabbitMQ running?"
    if isinstance(error, socket.gaierror):
        return "its host name is unknown."
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})."
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    return f"{error}."
