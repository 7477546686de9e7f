"""Test the connection to the broker in the same way as a call uses it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from ..amqp import encoding, errors
from ..amqp.config import BrokerConfig
from ..amqp.connecting import explained
from ..amqp.deadline import Deadline
from ..amqp.request import Request
from .call import Call, NotSent
from .wire import Wire, connect


def running_services(config: BrokerConfig, services: Iterable[str]) -> dict[str, int]:
    """Connect, check that requests can be sent, and count the consumers of the services.

    :return: the number of running instances by service
    :raises RpcError: the test failed; the subclass of BrokerUnreachable says why
    """
    wire = connect(config, Deadline(config.connect_timeout))
    try:
        with explained(config):
            _send_to_nobody(wire, config)
            deadline = Deadline(config.timeout)
            return {name: wire.look(name, deadline).consumers for name in services}
    finally:
        wire.close()


def _send_to_nobody(wire: Wire, config: BrokerConfig) -> None:
    """Send a request that the broker returns, because no service has that name."""
    request = Request(f"nameko_compute_test_{uuid.uuid4().hex}", "nobody")
    call = Call(wire, request)
    try:
        call.send(encoding.encode(request, None), Deadline(config.timeout))
        call.result()
    except errors.UnknownService:
        return
    except NotSent as error:
        raise errors.HandshakeFailed(f"The connection breaks: {error}") from None
    except errors.RequestRefused as error:
        raise errors.PermissionRefused(str(error)) from None
