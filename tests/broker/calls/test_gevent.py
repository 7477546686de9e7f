"""In a process that gevent has patched, calls wait without holding up the others."""

import pytest

from tests.broker.scripts import run_script

pytestmark = pytest.mark.usefixtures("kept_service")

GREENLETS = """
from gevent import monkey; monkey.patch_all()
import time, gevent
from broker import BrokerConfig, Request, CallTimeout, client_for
client = client_for(BrokerConfig(sys.argv[1], pool_size=20, connect_timeout=60))
for _ in range(2):  # the first time they connect
    start = time.monotonic()
    jobs = [gevent.spawn(client.call, Request("probe", "sleep", (1, n))) for n in range(10)]
    gevent.joinall(jobs, raise_error=True)
    assert [job.value for job in jobs] == list(range(10))
assert time.monotonic() - start < 9, "one after the other"
try:
    client.call(Request("probe", "sleep", (3,)), timeout=0.5)
except CallTimeout:
    pass
jobs = [gevent.spawn(client.call, Request("probe", "echo", (number,))) for number in range(200)]
gevent.joinall(jobs, raise_error=True)
assert [job.value for job in jobs] == list(range(200))
assert [each.result for each in client.call_many([Request("probe", "echo", (1,))] * 50)] == [1] * 50
with gevent.Timeout(0.3, False):  # a killed greenlet must not give its half-used connection back
    client.call(Request("probe", "sleep", (1, "late")))
assert client.call(Request("probe", "sleep", (1, "mine"))) == "mine"
client.close()
print("ok")
"""


def test_greenlets_share_a_client(vhost):
    assert run_script(GREENLETS, vhost.amqp_uri) == "ok"
