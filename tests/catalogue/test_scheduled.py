"""A plain Odoo without a relay: a scheduled action keeps the catalogue."""

import signal

import pytest

from tests.catalogue.conftest import StartService, beats_queue
from tests.jobs.conftest import Broker
from tests.jobs.world import World
from tests.waiting import wait_until

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"


def run(world: World) -> dict[int, str]:
    """Run the scheduled action; return the state of each instance by its process id."""
    with world.env() as env:
        env["nameko.instance"]._cron_keep()
    return dict(world.sql("SELECT pid, state FROM nameko_instance"))


def make_old(world: World) -> None:
    """Have all that was seen, and all beats that wait, be of another day."""
    world.vhost.purge(beats_queue(world))
    world.sql(
        "UPDATE nameko_instance SET last_seen = last_seen - interval '1 day',"
        " late_since = late_since - interval '1 day'"
    )


@pytest.mark.usefixtures("use_broker")
def test_catalogue_is_kept(world: World, start_compute: StartService):
    process = start_compute()
    pid = process.pid
    run(world)  # makes the queue in which beats wait for the next run
    wait_until(lambda: world.vhost.messages(beats_queue(world)) > 1)
    assert run(world) == {pid: "up"}
    process.kill()
    make_old(world)
    assert run(world) == {pid: "late"}
    make_old(world)
    assert run(world) == {pid: "gone"}
    told = "SELECT count(*) FROM mail_activity WHERE res_model = 'nameko.service'"
    assert world.sql(told) == [(1,)]


def test_nobody_is_missed_while_the_broker_is_away(
    world: World, start_compute: StartService, use_broker: Broker, caplog
):
    process = start_compute()
    run(world)
    wait_until(lambda: world.vhost.messages(beats_queue(world)) > 1)
    assert run(world) == {process.pid: "up"}
    process.kill()
    make_old(world)
    use_broker(NOWHERE)
    assert run(world) == {process.pid: "up"}
    assert "nothing listens there" in caplog.text


@pytest.mark.usefixtures("use_broker")
def test_it_is_left_to_a_relay_where_one_runs(world: World, start_compute: StartService):
    relay = world.start_relay()
    process = start_compute()
    pid = process.pid
    states = "SELECT pid, state FROM nameko_instance"
    wait_until(lambda: world.sql(states) == [(pid, "up")])
    process.kill()
    relay.signal(signal.SIGSTOP)
    make_old(world)
    assert run(world) == {pid: "up"}
    relay.signal(signal.SIGCONT)
    wait_until(lambda: world.sql(states) == [(pid, "late")])
