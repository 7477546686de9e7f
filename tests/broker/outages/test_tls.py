"""amqps:// with a certificate authority and a client certificate of one's own."""

import ssl
from pathlib import Path

import pytest
import yaml
from broker import BrokerUnreachable, Request

from services.config import load_config
from tests.broker.certificates import Authority
from tests.broker.probe import echo
from tests.processes import Process, nameko_run
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("kept_service")


@pytest.fixture
def uri(vhost, rabbitmq) -> str:
    return vhost.uri(rabbitmq.tls_port).replace("amqp://", "amqps://")


def test_calls_over_tls(make_client, uri: str, rabbitmq):
    certificate, key = rabbitmq.authority.issue("client")
    files = {"cert_file": str(certificate), "key_file": str(key)}
    client = make_client(uri, ca_file=str(rabbitmq.authority.file), **files)
    assert client.call(echo("x" * 500_000)) == "x" * 500_000
    assert [client.call(echo(number)) for number in range(50)] == list(range(50))
    outcomes = client.call_many([echo(number) for number in range(200)])
    assert [outcome.result for outcome in outcomes] == list(range(200))


def test_a_broker_whose_authority_is_not_trusted(make_client, uri: str, tmp_path: Path):
    client = make_client(uri, ca_file=str(Authority(tmp_path, "other").file))
    with pytest.raises(BrokerUnreachable, match=r"TLS failed \(CERTIFICATE_VERIFY_FAILED\)"):
        client.call(echo(1))


def test_no_client_certificate_where_the_broker_wants_one(make_client, uri: str, rabbitmq):
    client = make_client(uri, ca_file=str(rabbitmq.authority.file))
    with pytest.raises(BrokerUnreachable, match="cannot be reached"):
        client.call(echo(1))


def test_the_name_in_the_certificate_must_be_the_brokers(make_client, uri: str, rabbitmq):
    certificate, key = rabbitmq.authority.issue("client")
    files = {"cert_file": str(certificate), "key_file": str(key)}
    other_name = uri.replace("127.0.0.1", "127.0.0.2")
    client = make_client(other_name, ca_file=str(rabbitmq.authority.file), **files)
    with pytest.raises(BrokerUnreachable):
        client.call(echo(1))


def test_services_answer_over_tls(client, uri: str, vhost, rabbitmq, tmp_path: Path):
    certificate, key = rabbitmq.authority.issue("client")
    config = load_config() | {
        "AMQP_URI": uri.replace("amqps", "pyamqp"),
        "AMQP_SSL": {
            "ca_certs": str(rabbitmq.authority.file),
            "certfile": str(certificate),
            "keyfile": str(key),
            "cert_reqs": int(ssl.CERT_REQUIRED),
        },
    }
    file = tmp_path / "services.yaml"
    file.write_text(yaml.safe_dump(config))
    service = Process("plain", nameko_run("tests.services.plain_service", config=file))
    try:
        wait_until(lambda: vhost.consumers("rpc-plain") == 1)
        text = "ab" * 2_000_000
        large = Request("plain", "repeat", ("ab", 2_000_000))
        requests = [Request("plain", "echo", (number,)) for number in range(200)]
        outcomes = client.call_many([large, *requests, large])
        assert [outcome.get() for outcome in outcomes] == [text, *range(200), text]
    finally:
        service.kill()
