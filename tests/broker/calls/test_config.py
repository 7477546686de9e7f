"""The settings of the broker: what is wrong is said by name, and no secret is shown."""

import pytest
from broker import BrokerConfig, InvalidBrokerConfig

URI = "amqps://us%40er:p%2Fw@broker.example.com:5673/my%2Fhost"


def test_the_uri_is_taken_apart():
    config = BrokerConfig(URI)
    assert (config.host, config.port, config.tls) == ("broker.example.com", 5673, True)
    assert (config.user, config.password, config.virtual_host) == ("us@er", "p/w", "my/host")


@pytest.mark.parametrize(
    ("uri", "port", "virtual_host"),
    [
        ("amqp://h", 5672, "/"),
        ("amqp://h/", 5672, "/"),
        ("amqp://h//", 5672, "/"),
        ("amqp://h/%2F", 5672, "/"),
        ("amqps://h/v", 5671, "v"),
        ("pyamqp://h/v", 5672, "v"),
    ],
)
def test_what_the_uri_leaves_out(uri: str, port: int, virtual_host: str):
    config = BrokerConfig(uri)
    assert (config.port, config.virtual_host) == (port, virtual_host)
    assert (config.user, config.password) == ("guest", "guest")


def test_strings_become_settings():
    config = BrokerConfig.from_mapping(
        {"uri": URI, "timeout": "2.5", "pool_size": "4", "window": ""}
    )
    assert (config.timeout, config.pool_size, config.window) == (2.5, 4, 100)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timeout": "soon"}, "timeout is 'soon', not a number"),
        ({"pool_size": "2.5"}, "pool_size is '2.5', not a whole number"),
        ({"timeout": "0"}, "timeout is 0.0; it must be above 0"),
        ({"connect_timeout": "inf"}, "connect_timeout is inf"),
        ({"window": "-1"}, "window is -1"),
        ({"time_out": "1"}, "Unknown broker setting 'time_out'. Known are: .*timeout"),
        ({"uri": "http://h"}, "must start with amqp:// or amqps://"),
        ({"uri": "amqp://"}, "must name one host"),
        ({"uri": "amqp://a;amqp://b"}, "must name one host"),
        ({"uri": "amqp://u:p/w@h/"}, "written as it is, instead of %2F"),
        ({"uri": "amqp://h/v?ssl=1"}, "takes no"),
        ({"uri": "amqps://h", "ca_file": "/no/such.pem"}, "ca_file: the file '/no/such.pem'"),
        ({"uri": "amqps://h", "key_file": __file__}, "key_file is given without cert_file"),
        ({"uri": "amqp://h", "ca_file": __file__}, "need an amqps"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, str], words: str):
    with pytest.raises(InvalidBrokerConfig, match=words):
        BrokerConfig.from_mapping(settings)


def test_the_password_is_never_shown():
    config = BrokerConfig(URI)
    shown = f"{config!r} {config.address}"
    assert "p%2Fw" not in shown
    assert "p/w" not in shown
    with pytest.raises(InvalidBrokerConfig) as caught:
        BrokerConfig("amqp://user:se/cret@h")
    assert "cret" not in str(caught.value)
