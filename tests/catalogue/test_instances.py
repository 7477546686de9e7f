"""Real services beat, stop beating, and come back; the relay keeps the list."""

from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from tests.catalogue.conftest import StartService, beats_queue
from tests.jobs.world import World
from tests.processes import CONFIG
from tests.waiting import wait_until

LOCK = 7_210_423_121  # of nameko_instance_beats.py
# RabbitMQ knows further queues: compute declares that of mail.
SERVICES = "SELECT name, state FROM nameko_service WHERE state != 'unknown' ORDER BY name"
ACTIVITIES = (
    "SELECT s.name, u.login FROM mail_activity a JOIN res_users u ON u.id = a.user_id"
    " JOIN nameko_service s ON s.id = a.res_id AND a.res_model = 'nameko.service' ORDER BY 1, 2"
)


def states(world: World) -> dict[int, str]:
    """The state of each instance by its process id."""
    return dict(world.sql("SELECT pid, state FROM nameko_instance"))


def seen(world: World) -> datetime | None:
    ((last_seen,),) = world.sql("SELECT max(last_seen) FROM nameko_instance")
    return last_seen


def wait_for_beat(world: World) -> None:
    """Wait until a beat is written that was not written yet."""
    before = seen(world)
    wait_until(lambda: seen(world) != before, what="a beat")


def set_limits(world: World, late: int, gone: int) -> None:
    """Set after how many missed beats an instance is late, and gone."""
    with world.env() as env:
        parameters = env["ir.config_parameter"]
        parameters.set_param("nameko_connector.late_beats", late)
        parameters.set_param("nameko_connector.gone_beats", gone)


@pytest.fixture
def patient(world: World) -> None:
    """No instance is late: on a busy machine it misses many beats of 0.2 s."""
    set_limits(world, 1000, 1000)


@pytest.mark.usefixtures("patient")
def test_instance_appears_with_its_services_and_methods(world: World, start_compute: StartService):
    world.start_relay()
    process = start_compute()
    assert wait_until(lambda: states(world)) == {process.pid: "up"}
    assert world.sql(SERVICES) == [("compute", "up"), ("heartbeat", "up")]
    with world.env() as env:
        compute = env["nameko.service"].search([("name", "=", "compute")])
        signatures = {method.name: method.signature for method in compute.method_ids}
        assert signatures["method"] == "(value1: Any, value2: Any)"
        assert signatures["prime_count"] == "(limit: int, job: str | None = None)"
        (instance,) = compute.instance_ids
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        assert now - timedelta(minutes=2) < instance.last_seen < now + timedelta(minutes=2)
        assert instance.interval == 0.2


def test_killed_instance_is_late_then_gone_and_managers_are_told_once(
    world: World, start_compute: StartService
):
    set_limits(world, late=2, gone=100)
    world.start_relay()
    process = start_compute()
    pid = process.pid
    wait_until(lambda: states(world) == {pid: "up"})
    process.kill()
    wait_until(lambda: states(world) == {pid: "late"})
    assert world.sql(ACTIVITIES) == []
    wait_until(lambda: states(world) == {pid: "gone"})
    told = [("compute", "admin")]
    assert world.sql(ACTIVITIES) == told
    again = start_compute(interval=0.2)
    wait_until(lambda: states(world) == {pid: "gone", again.pid: "up"})
    wait_until(lambda: world.sql(SERVICES) == [("compute", "up"), ("heartbeat", "up")])
    assert world.sql(ACTIVITIES) == []


def test_managers_are_not_told_of_one_instance_among_others(
    world: World, start_compute: StartService
):
    world.start_relay()
    killed, kept = start_compute(), start_compute(interval=3.0)  # which misses none
    pids = killed.pid, kept.pid
    wait_until(lambda: states(world) == dict.fromkeys(pids, "up"))
    killed.kill()
    wait_until(lambda: states(world) == {pids[0]: "gone", pids[1]: "up"})
    assert world.sql(ACTIVITIES) == []
    counts = "SELECT up_count, gone_count FROM nameko_service WHERE state != 'unknown'"
    wait_until(lambda: world.sql(counts) == [(1, 1)] * 2)


@pytest.mark.usefixtures("patient")
def test_many_beats_make_few_writes(world: World, start_compute: StartService):
    world.start_relay()
    process = start_compute(interval=0.1)
    wait_until(lambda: states(world))
    known = "SELECT 's', id, xmin::text FROM nameko_service UNION ALL SELECT 'm', id, xmin::text"
    known += " FROM nameko_method ORDER BY 1, 2"
    before = world.sql(known)
    beats = process.output.count("alive")
    for _ in range(3):
        wait_for_beat(world)
    beats = process.output.count("alive") - beats
    assert beats > 3 * 5, "one write for many beats"
    assert world.sql(known) == before, "what is known is not written again"


@pytest.mark.usefixtures("patient")
def test_two_relays_share_the_beats(world: World, start_compute: StartService):
    relays = [world.start_relay(), world.start_relay()]
    processes = [start_compute() for _ in range(2)]
    up = {process.pid: "up" for process in processes}
    wait_until(lambda: states(world) == up)
    for _ in range(3):
        wait_for_beat(world)
    assert states(world) == up
    relays[0].kill()
    wait_for_beat(world)
    assert states(world) == up


def test_nobody_is_gone_because_the_relay_was_away(world: World, start_compute: StartService):
    relay = world.start_relay()
    process = start_compute(interval=3.0)
    wait_until(lambda: states(world))
    relay.kill()
    world.sql("UPDATE nameko_instance SET last_seen = last_seen - interval '1 day'")
    world.start_relay()
    wait_for_beat(world)
    assert states(world) == {process.pid: "up"}
    assert world.sql(ACTIVITIES) == []


@pytest.mark.breaks_connections
def test_deleted_queue_is_made_again(world: World, start_compute: StartService):
    relay = world.start_relay()
    start_compute()
    wait_until(lambda: states(world))
    world.vhost.delete_queue(beats_queue(world))
    relay.wait_for_log("the queue of the beats was deleted")
    wait_for_beat(world)
    wait_for_beat(world)


@pytest.mark.usefixtures("patient")
def test_jobs_go_on_while_somebody_else_writes_the_catalogue(
    world: World, start_compute: StartService
):
    """As a relay that was frozen in the middle of it."""
    world.start_relay()
    world.start_service()
    with psycopg2.connect(dbname=world.database) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        process = start_compute()
        world.make(20)
        assert world.wait_until_finished() == {"done": 20}
        wait_until(lambda: process.output.count("alive") > 60)
        assert states(world) == {}
    other.close()
    wait_until(lambda: states(world) == {process.pid: "up"})


@pytest.mark.usefixtures("patient")
def test_exchange_that_was_declared_otherwise(world: World, start_compute: StartService, tmp_path):
    """Nameko's AUTO_DELETE_EVENT_EXCHANGES makes another exchange of it."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.read_text() + "\nAUTO_DELETE_EVENT_EXCHANGES: true\n")
    process = start_compute(config=config)
    process.wait_for_log("alive")
    world.start_relay()
    wait_until(lambda: states(world) == {process.pid: "up"})
