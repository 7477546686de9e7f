"""What a service does when its caller has the answer already."""

import pytest

from services.dependencies import NoReplies
from tests.processes import cluster, running
from tests.services.durable_client import DurableClient
from tests.waiting import wait_until

DYING = "tests.services.messaging.dying_service"


def test_what_a_process_leaves_undone_another_one_does(vhost, tmp_path):
    with running(DYING, AMQP_URI=vhost.amqp_uri) as first:
        client = DurableClient(vhost.amqp_uri)
        request = client.request("dying.work", (str(tmp_path),))
        (reply,) = client.wait_for(request)
        assert reply["result"] == "done"
        first.wait(10)
    assert not (tmp_path / "told").exists()
    with running(DYING, AMQP_URI=vhost.amqp_uri):
        wait_until((tmp_path / "told").exists)
    assert (tmp_path / "told").read_text() == "told\n"


def test_what_fails_then_is_logged_and_harms_nobody(vhost):
    with running(DYING, AMQP_URI=vhost.amqp_uri) as process, cluster(vhost.amqp_uri) as rpc:
        assert [rpc.dying.stumble() for _ in range(3)] == ["done"] * 3
        process.wait_for_log("not done after the reply")
        assert process.is_alive()


def test_waiting_for_a_reply_that_never_comes_says_so():
    with pytest.raises(RuntimeError, match="call_async"):
        NoReplies().get_reply_event("id").wait()
