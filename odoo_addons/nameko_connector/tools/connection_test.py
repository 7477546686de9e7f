"""Test the connection to the broker, and explain problems to administrators."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from odoo.api import Environment

from ..broker.amqp import errors
from ..broker.amqp.config import BrokerConfig


@dataclass(frozen=True)
class Verdict:
    """The outcome of a test.

    is_good: there is no problem; is_connected: the broker accepts requests.
    """

    is_good: bool
    text: str
    is_connected: bool = False


def try_broker(config: BrokerConfig, services: Iterable[str], env: Environment) -> Verdict:
    """Connect and send as a call does, and check which of these services run."""
    from ..broker.rpc.trying import running_services  # noqa: PLC0415  loads amqp

    try:
        found = running_services(config, services)
    except errors.RpcError as error:
        return Verdict(False, f"{_reason(error, config, env)}\n{error}")
    running = ", ".join(f"{name} ({count})" for name, count in found.items() if count)
    if running:
        return Verdict(True, _running(config, running, env), is_connected=True)
    return Verdict(not found, _no_service(config, ", ".join(found), env), is_connected=True)


def _running(config: BrokerConfig, services: str, env: Environment) -> str:
    return env._(
        "The broker at %(address)s takes requests. Running services, with their number of "
        "instances: %(services)s.",
        address=config.address,
        services=services,
    )


def _reason(error: errors.RpcError, config: BrokerConfig, env: Environment) -> str:
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason(config, env)
    return env._("The broker takes connections, but not requests.")


def _no_service(config: BrokerConfig, services: str, env: Environment) -> str:
    if not services:
        return env._(
            "The connection to the broker at %(address)s works. Odoo has not heard of any service "
            "yet.",
            address=config.address,
        )
    return env._(
        "The connection to the broker at %(address)s works, but none of the known services is "
        "running: %(services)s. Start them with this broker's address.",
        address=config.address,
        services=services,
    )


def _host_unknown(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The host “%(host)s” is not known. Is the name right, and does this machine's name "
        "server know it?",
        host=config.host,
    )


def _nothing_listens(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The host “%(host)s” takes no connections on port %(port)s. Does RabbitMQ run there, "
        "and is the port right?",
        host=config.host,
        port=config.port,
    )


def _no_answer(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "Host “%(host)s”, port %(port)s does not answer in time. Is a firewall between, the "
        "address wrong, or the broker overloaded?",
        host=config.host,
        port=config.port,
    )


def _handshake_failed(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "What listens on “%(host)s”, port %(port)s does not speak as RabbitMQ without TLS does. "
        "Is it the port of another program, or the one for TLS (then amqps:// is needed)?",
        host=config.host,
        port=config.port,
    )


def _tls_failed(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "TLS with “%(host)s”, port %(port)s fails. Is it the port for TLS, and does the broker "
        "ask for a client certificate (cert_file, key_file)?",
        host=config.host,
        port=config.port,
    )


def _not_trusted(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The certificate of “%(host)s” is not trusted: it has expired, is for another name, or "
        "signed by an authority that this machine does not know (ca_file).",
        host=config.host,
    )


def _login_refused(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The broker refuses the login of the user “%(user)s”. Are user and password right?",
        user=config.user,
    )


def _host_missing(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The broker has no virtual host “%(virtual_host)s”. Create it, or correct the end of "
        "the address.",
        virtual_host=config.virtual_host,
    )


def _host_refused(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The user “%(user)s” may not use the virtual host “%(virtual_host)s”. Give it "
        "permissions there.",
        user=config.user,
        virtual_host=config.virtual_host,
    )


def _permission_refused(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "The user “%(user)s” lacks permissions in the virtual host “%(virtual_host)s”: it must "
        "configure, write and read exchanges and queues.",
        user=config.user,
        virtual_host=config.virtual_host,
    )


def _unreachable(config: BrokerConfig, env: Environment) -> str:
    return env._(
        "Host “%(host)s”, port %(port)s cannot be reached.", host=config.host, port=config.port
    )


# The first class that fits counts: a subclass stands before its base.
_REASONS: dict[type[errors.RpcError], Callable[[BrokerConfig, Environment], str]] = {
    errors.HostUnknown: _host_unknown,
    errors.NothingListens: _nothing_listens,
    errors.NoAnswer: _no_answer,
    errors.HandshakeFailed: _handshake_failed,
    errors.CertificateNotTrusted: _not_trusted,
    errors.TlsFailed: _tls_failed,
    errors.LoginRefused: _login_refused,
    errors.VirtualHostMissing: _host_missing,
    errors.VirtualHostRefused: _host_refused,
    errors.PermissionRefused: _permission_refused,
    errors.BrokerUnreachable: _unreachable,
}
