"""Publish events that tell the services which jobs were cancelled, so that they stop them."""

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
    """Publish an event for each of these jobs, and close the channel afterwards.

    Return once the broker has routed the events. Raise RequestRefused if it refuses them, for
    example because the exchange has another type.
    """
    try:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        for uuid in uuids:
            message = amqp.Message(json.dumps({"job": uuid}), content_type="application/json")
            publish(channel, message, EXCHANGE, ROUTING_KEY)
        channel.flow(True)  # the broker answers after it has handled the events
    except amqp.exceptions.ChannelError as error:
        text = f"The broker takes no events of cancelled jobs: {error}"
        raise RequestRefused(text) from error
    finally:
        with contextlib.suppress(amqp.exceptions.ChannelError):
            channel.close()
