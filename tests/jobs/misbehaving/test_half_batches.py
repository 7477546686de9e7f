"""A connection that is lost in the middle of a batch: what the broker has is not sent again."""

import socket

import pytest

from tests.jobs.misbehaving.test_sizes import make_texts
from tests.jobs.world import World
from tests.tcp_proxy import TcpProxy

MARK = b"xxxx"  # the text of a job holds it many times, nothing else does
LONG = 50_000  # characters: some of them arrive together, however the stream is cut


class StallingProxy(TcpProxy):
    """Passes nothing on any more, of the first connection over which the mark comes."""

    has_stalled = False

    def _to_server(self, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            found = -1 if self.has_stalled else data.find(MARK)
            if found < 0:
                sink.sendall(data)
                continue
            self.has_stalled = True
            sink.sendall(data[:found])
            while source.recv(65536):
                pass


@pytest.mark.breaks_connections
def test_what_was_confirmed_is_not_sent_again(world: World):
    proxy = StallingProxy(world.vhost.port)
    world.start_service()
    make_texts(world, [1, 2, 3, LONG, 2, 1])
    relay = world.start_relay(wait=False, AMQP_URI=world.vhost.uri(proxy.port))
    assert world.wait_until_finished() == {"done": 6}
    assert proxy.has_stalled
    assert "connects again" in relay.output
    assert sorted(world.ran(), key=int) == ["1", "1", "2", "2", "3", str(LONG)]
    assert world.sql("SELECT DISTINCT attempts FROM nameko_job") == [(1,)]
    proxy.cut()
