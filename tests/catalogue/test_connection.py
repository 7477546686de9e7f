"""The test of the connection says in words what is wrong: each cause is really there."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.broker.certificates import Authority
from tests.broker.processes import Service
from tests.broker.rabbitmq import RabbitMQ
from tests.vhosts import Vhost

pytestmark = pytest.mark.usefixtures("jobs_database")  # which makes this process an Odoo
RIGHTS = {"configure": ".*", "write": ".*", "read": ".*"}


def verdict(uri: str, services=("probe", "never_ran"), **settings):
    from odoo.addons.nameko_connector.broker.amqp.config import BrokerConfig  # noqa: PLC0415
    from odoo.addons.nameko_connector.tools.connection_test import try_broker  # noqa: PLC0415

    def translate(text: str, **values) -> str:
        return text % values

    english = SimpleNamespace(_=translate)  # an environment, as far as it is used
    found = try_broker(BrokerConfig(uri, **settings), services, english)
    assert "s3cret" not in found.text
    return found


def words(uri: str, **settings) -> str:
    """What is said of a broker that cannot be used."""
    found = verdict(uri, **settings)
    assert not found.is_good
    return found.text


@pytest.fixture
def nobody(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The login of a user without rights."""
    rabbitmq.request("PUT", "users/nobody", password="s3cret", tags="")
    yield "nobody:s3cret"
    rabbitmq.request("DELETE", "users/nobody")


@pytest.fixture
def service(vhost: Vhost) -> Iterator[Service]:
    service = Service(vhost)
    yield service
    service.kill()


def tls(vhost: Vhost, rabbitmq: RabbitMQ) -> str:
    return vhost.uri(rabbitmq.tls_port).replace("amqp://", "amqps://")


@pytest.mark.usefixtures("service")
def test_running_services_are_named(vhost: Vhost):
    found = verdict(vhost.amqp_uri)
    assert found.is_good
    assert "probe (1)" in found.text
    assert "never_ran" not in found.text


def test_no_service_is_running(vhost: Vhost):
    assert "none of the known services is running" in words(vhost.amqp_uri)


def test_host_is_not_known():
    text = words("amqp://u:s3cret@no-such-host.invalid/")
    assert "“no-such-host.invalid” is not known" in text


def test_port_is_closed():
    assert "takes no connections on port 1." in words("amqp://u:s3cret@127.0.0.1:1/")


def test_host_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        text = words(f"amqp://u:s3cret@127.0.0.1:{port}/", connect_timeout=0.5)
    assert f"port {port} does not answer in time" in text


def test_something_else_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def hang_up() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=hang_up)
        thread.start()
        text = words(f"amqp://u:s3cret@127.0.0.1:{server.getsockname()[1]}/")
        thread.join()
    assert "does not speak as RabbitMQ without TLS does" in text


def test_plain_connection_to_the_port_for_tls(rabbitmq: RabbitMQ):
    text = words(f"amqp://guest:guest@127.0.0.1:{rabbitmq.tls_port}/")
    assert "the one for TLS (then amqps:// is needed)" in text


def test_tls_to_the_plain_port(rabbitmq: RabbitMQ):
    text = words(f"amqps://guest:guest@127.0.0.1:{rabbitmq.port}/")
    assert f"port {rabbitmq.port} fails. Is it the port for TLS" in text


def test_certificate_is_not_trusted(vhost: Vhost, rabbitmq: RabbitMQ, tmp_path: Path):
    text = words(tls(vhost, rabbitmq), ca_file=str(Authority(tmp_path, "other").file))
    assert "The certificate of “127.0.0.1” is not trusted" in text


def test_broker_wants_a_client_certificate(vhost: Vhost, rabbitmq: RabbitMQ):
    text = words(tls(vhost, rabbitmq), ca_file=str(rabbitmq.authority.file))
    assert "ask for a client certificate" in text


def test_password_is_wrong(vhost: Vhost):
    assert "refuses the login of the user “guest”" in words(vhost.uri(login="guest:s3cret"))


def test_virtual_host_is_missing(rabbitmq: RabbitMQ):
    text = words(f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/nowhere")
    assert "no virtual host “nowhere”" in text


def test_virtual_host_is_for_others(vhost: Vhost, nobody: str):
    text = words(vhost.uri(login=nobody))
    assert f"“nobody” may not use the virtual host “{vhost.name}”" in text


@pytest.mark.parametrize("lacking", RIGHTS)
def test_permission_is_missing(vhost: Vhost, rabbitmq: RabbitMQ, nobody: str, lacking: str):
    rabbitmq.request("PUT", f"permissions/{vhost.name}/nobody", **{**RIGHTS, lacking: ""})
    text = words(vhost.uri(login=nobody))
    assert f"“nobody” lacks permissions in the virtual host “{vhost.name}”" in text


def test_permission_to_send_requests_is_missing(vhost: Vhost, rabbitmq: RabbitMQ, nobody: str):
    """Enough to connect and to receive, as only a request shows."""
    rights = {**RIGHTS, "write": "^rpc"}
    rabbitmq.request("PUT", f"permissions/{vhost.name}/nobody", **rights)
    assert "lacks permissions" in words(vhost.uri(login=nobody))


def test_broker_takes_no_messages(vhost: Vhost, rabbitmq: RabbitMQ):
    rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
    try:
        text = words(vhost.amqp_uri, timeout=1)
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    assert "The broker takes connections, but not requests." in text
