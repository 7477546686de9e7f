"""After a fork, parent and children each have connections of their own."""

import pytest

from tests.broker.scripts import run_script

pytestmark = pytest.mark.usefixtures("kept_service")

FORK = """
import os, threading
from broker import BrokerConfig, Request, client_for
client = client_for(BrokerConfig(sys.argv[1]))
ask = lambda value: client.call(Request("probe", "echo", (value,)), timeout=10)
parents_wire = lambda: client._pool._idle[0].wire.reply_to
assert ask("parent") == "parent"
before = parents_wire()
busy = threading.Thread(target=client.call, args=(Request("probe", "sleep", (2,)),))
busy.start()  # another thread holds a connection, and locks, while the process forks
children = []
for number in range(4):
    pid = os.fork()
    if not pid:
        answers = [ask([number, each]) for each in range(50)]
        os._exit(answers != [[number, each] for each in range(50)] or parents_wire() == before)
    children.append(pid)
assert [ask(each) for each in range(50)] == list(range(50))
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0, 0]
busy.join()
assert ask("still") == "still" and before in {proxy.wire.reply_to for proxy in client._pool._idle}
print("ok")
"""


def test_children_and_parent_call_at_once(vhost):
    assert run_script(FORK, vhost.amqp_uri) == "ok"
