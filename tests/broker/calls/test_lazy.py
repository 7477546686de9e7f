"""Nothing is loaded and nothing connected before the first call."""

from tests.broker.scripts import run_script

LAZY = """
from broker import BrokerConfig, Request, BrokerUnreachable, client_for
heavy = {"nameko", "eventlet", "kombu", "amqp", "odoo", "gevent"}
loaded = lambda: {name.partition(".")[0] for name in sys.modules} & heavy
client = client_for(BrokerConfig("amqp://guest:guest@127.0.0.1:1/"))
assert not loaded(), loaded()
try:
    client.call(Request("probe", "echo", (1,)))
except BrokerUnreachable:
    print(sorted(loaded()))
"""


def test_imports():
    assert run_script(LAZY) == "['amqp', 'eventlet', 'kombu', 'nameko']"
