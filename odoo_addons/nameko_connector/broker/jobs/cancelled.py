"""Telling the services which jobs were cancelled, so that they stop working for them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import amqp

from ..amqp.errors import RequestRefused
from ..amqp.publishing import publish

EXCHANGE = "nameko_jobs.events"
ROUTING_KEY = "cancelled"


def announce_cancelled(channel: Any, uuids: Iterable[str]) -> None:
    """Publish an event for each of these jobs, over a channel that is closed afterwards.

    Return once the broker has passed them on. Raise RequestRefused where it does not take them, for
    example because the exchange is of another type.
    """
    try:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        for uuid in uuids:
            message = amqp.Message(json.dumps({"job": uuid}), content_type="application/json")
            publish(channel, message, EXCHANGE, ROUTING_KEY)
        channel.flow(True)  # its answer comes when all that was published before is handled
    except amqp.exceptions.ChannelError as error:
        text = f"The broker takes no events of cancelled jobs: {error}"
        raise RequestRefused(text) from error
    finally:
        with contextlib.suppress(amqp.exceptions.ChannelError):
            channel.close()
