"""A client for Nameko services over RabbitMQ. It does not depend on Odoo.

>>> client = client_for(BrokerConfig(uri="amqp://guest:guest@localhost:5672/"))
>>> client.call(Request("compute", "method", (99999, 99999)), timeout=5)   # doctest: +SKIP
199998

It works in threads, in prefork workers and under gevent. Importing it does not load Nameko,
eventlet, kombu or amqp: the first call does.
"""

from .rpc.client import Client, client_for
from .amqp.config import BrokerConfig, InvalidBrokerConfig
from .amqp.errors import (
    AccessRefused,
    BadReply,
    BrokerUnreachable,
    CallTimeout,
    NotSendable,
    PoolExhausted,
    RemoteError,
    RequestRefused,
    RpcError,
    UncertainOutcome,
    UnknownMethod,
    UnknownService,
    WrongArguments,
)
from .amqp.request import Outcome, Request

__all__ = [
    "AccessRefused",
    "BadReply",
    "BrokerConfig",
    "BrokerUnreachable",
    "CallTimeout",
    "Client",
    "InvalidBrokerConfig",
    "NotSendable",
    "Outcome",
    "PoolExhausted",
    "RemoteError",
    "Request",
    "RequestRefused",
    "RpcError",
    "UncertainOutcome",
    "UnknownMethod",
    "UnknownService",
    "WrongArguments",
    "client_for",
]
