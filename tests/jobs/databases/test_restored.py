"""A backup by pg_dump is restored by pg_restore: under its name, beside its original, elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest

from tests.databases import run_outside
from tests.jobs.chaos.cluster import another_cluster, dump, restore
from tests.jobs.databases.elsewhere import (
    ACTIVITIES,
    UNTOUCHED,
    answer,
    forget,
    make_some_sent,
)
from tests.jobs.world import BUILD, World
from tests.processes import Process
from tests.waiting import wait_until

ORIGINAL, BESIDE = "nameko_jobs_original", "nameko_jobs_beside"
CANCELS = kombu.Exchange("nameko_jobs.events", "topic", durable=True)
REQUESTS = kombu.Exchange("nameko-rpc", "topic", durable=True)
BACKED_UP = {"sent": 9, "pending": 10, "cancelled": 1}
ROWS = "SELECT to_jsonb(row) FROM {} row ORDER BY id"
UNANNOUNCED = "SELECT count(*) FROM nameko_job WHERE cancel_unannounced"
UUIDS = "SELECT uuid FROM nameko_job WHERE state = %s"
DISOWNED = "SELECT count(*) FROM nameko_job WHERE error_type = 'DatabaseCopied'"
FAILURES = "SELECT sum(coalesce(failures, 0)) FROM nameko_job_probe"
LATEST = "SELECT max(deadline) <= now() AT TIME ZONE 'UTC' + interval '5 minutes' FROM nameko_job"
AT_ONCE = "UPDATE nameko_job SET retry_delays = '0', deadline = least(deadline, sent_at)"


class Witness:
    """A queue with a copy of each message that an exchange gets with a routing key."""

    def __init__(self, world: World, exchange: kombu.Exchange, key: str) -> None:
        self.connection = kombu.Connection(world.amqp_uri)
        queue = kombu.Queue(f"witness of {key}", exchange, key, durable=True)
        self.queue = queue(self.connection.channel())
        self.queue.declare()

    def take(self) -> list[kombu.Message]:
        """Take all messages that wait."""
        return list(iter(lambda: self.queue.get(no_ack=True), None))


@pytest.fixture
def cancels(world: World) -> Iterator[Witness]:
    witness = Witness(world, CANCELS, "cancelled")
    yield witness
    witness.connection.release()


@pytest.fixture
def requests(world: World) -> Iterator[Witness]:
    witness = Witness(world, REQUESTS, "probe.add")
    yield witness
    witness.connection.release()


@pytest.fixture
def original(world: World, cancels: Witness, requests: Witness) -> Iterator[World]:
    """A database that may be dropped; a job was cancelled, and its service is not told yet."""
    forget(world.database)
    remove(ORIGINAL)
    run_outside("CREATE DATABASE {} TEMPLATE {}", ORIGINAL, world.database)
    original = world.beside(ORIGINAL)
    make_some_sent(original)
    assert len(requests.take()) == UNTOUCHED["sent"]
    with original.env(user=2) as env:
        env["nameko.job"].search([("state", "=", "sent")], limit=1).action_cancel()
    assert original.states() == BACKED_UP
    yield original
    stop(original)
    remove(ORIGINAL)


@pytest.fixture
def backup(original: World, tmp_path: Path) -> Path:
    return dump(original.database, tmp_path / "backup.dump")


@pytest.fixture
def beside(original: World, backup: Path) -> Iterator[World]:
    """The backup, restored under another name beside its original."""
    remove(BESIDE)
    restore(backup, BESIDE)
    beside = original.beside(BESIDE)
    yield beside
    stop(beside)
    remove(BESIDE)


def remove(database: str) -> None:
    forget(database)
    run_outside("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def stop(world: World) -> None:
    for program in world.programs:
        program.kill()


def rows(world: World) -> list[tuple[dict[str, object]]]:
    """All columns of all jobs and of their records."""
    return [*world.sql(ROWS.format("nameko_job")), *world.sql(ROWS.format("nameko_job_probe"))]


def asking_relay(world: World) -> Process:
    """Start a relay, and see that it waits, says so and asks the administrator."""
    alive = BUILD / f"{world.database}.alive"
    relay = world.start_relay(f"--alive-file={alive}", wait=False)
    relay.wait_for_log("The relay waits")
    wait_until(lambda: world.sql(ACTIVITIES) == [(1,)], what="the activity")
    check = world.start_relay("--check", f"--alive-file={alive}", wait=False)
    assert check.wait(60) == 1
    return relay


def run_scheduled_actions(world: World) -> None:
    with world.env() as env:
        env["nameko.job"]._cron_move_jobs()
        env["nameko.instance"]._cron_keep()


@pytest.mark.usefixtures("use_broker")
def test_under_the_same_name(original: World, backup: Path, cancels: Witness, requests: Witness):
    """Its replies wait; nothing is lost, nothing runs twice."""
    identity, before = original.identity, rows(original)
    cancelled = original.sql(UUIDS, "cancelled")
    remove(ORIGINAL)
    restore(backup, ORIGINAL)
    original.start_service()
    wait_until(lambda: original.vhost.messages(original.reply_queue) == UNTOUCHED["sent"])
    relay = asking_relay(original)
    run_scheduled_actions(original)
    assert rows(original) == before
    assert original.vhost.messages(original.reply_queue) == UNTOUCHED["sent"]
    assert cancels.take() == requests.take() == []
    answer(original, "--moved")
    relay.wait_for_log("The relay serves")
    assert original.wait_until_finished() == {"done": 19, "cancelled": 1}
    assert original.hits() == {1: 19, 0: 1}
    assert sorted(original.ran(), key=int) == [str(number) for number in range(20)]
    wait_until(lambda: original.sql(UNANNOUNCED) == [(0,)])
    assert [(message.payload["job"],) for message in cancels.take()] == cancelled
    assert original.identity == identity
    assert original.sql(ACTIVITIES) == [(0,)]


def test_while_odoo_and_a_relay_go_on(original: World, beside: World, requests: Witness):
    """They notice that another database has the name of the one from which they might send."""
    from odoo.addons.nameko_connector.exceptions import DatabaseNotConfirmed  # noqa: PLC0415

    before = rows(original)
    with original.env() as env:
        assert env["nameko.rpc"].call_many([]) == []
    relay = original.start_relay()
    wait_until(lambda: original.states() == {"sent": 19, "cancelled": 1})
    requests.take()
    run_outside("DROP DATABASE {} WITH (FORCE)", ORIGINAL)
    run_outside("ALTER DATABASE {} RENAME TO {}", BESIDE, ORIGINAL)
    with original.env() as env, pytest.raises(DatabaseNotConfirmed):
        env["nameko.rpc"].call_many([])
    relay.wait_for_log("The relay waits")
    assert rows(original) == before
    assert requests.take() == []


@pytest.mark.usefixtures("use_broker")
def test_beside_its_original(original: World, beside: World, cancels: Witness, requests: Witness):
    """The original goes on as if there were no copy, and the copy has jobs of its own."""
    before, failures = rows(beside), beside.sql(FAILURES)
    relay = asking_relay(beside)
    run_scheduled_actions(beside)
    original.start_service()
    original.start_relay()
    assert original.wait_until_finished() == {"done": 19, "cancelled": 1}
    wait_until(lambda: original.sql(UNANNOUNCED) == [(0,)])
    assert rows(beside) == before
    answer(beside, "--copy")
    relay.wait_for_log("The relay serves")
    assert beside.states() == {"cancelled": 20}
    assert beside.sql(DISOWNED) == [(19,)]
    beside.make(5)
    assert beside.wait_until_finished() == {"cancelled": 20, "done": 5}
    assert beside.hits() == {0: 20, 1: 5}
    assert beside.sql(FAILURES) == failures
    assert beside.sql(ACTIVITIES) == [(0,)]
    assert beside.identity != original.identity
    assert original.hits() == {1: 19, 0: 1}
    assert len(requests.take()) == UNTOUCHED["pending"] + 5
    assert len(cancels.take()) == 1


@pytest.fixture
def lost(original: World, backup: Path) -> World:
    """The original has gone on since the backup, and its last five jobs are answered since then."""
    relay, service = original.start_relay(), original.start_service()
    original.wait_until_finished()
    service.kill()
    original.make(5)
    wait_until(lambda: original.states().get("sent") == 5)
    relay.terminate()
    original.start_service()
    wait_until(lambda: original.vhost.messages(original.reply_queue) == 5)
    return original


@pytest.fixture
def elsewhere(
    lost: World, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, World]]:
    """The backup, restored twice into another cluster, to which all connections are led now."""
    moved, copy = lost.beside(ORIGINAL), lost.beside(BESIDE)
    with another_cluster(tmp_path) as variables, monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        for restored in (moved, copy):
            restore(backup, restored.database)
        yield moved, copy
        stop(moved)
        stop(copy)


def test_into_another_cluster(elsewhere: tuple[World, World], requests: Witness):
    """What the lost database knew alone is asked for again, under the same idempotency ids."""
    moved, copy = elsewhere
    requests.take()
    before = rows(moved)
    asking_relay(moved).terminate()
    assert rows(moved) == rows(copy) == before
    assert moved.vhost.messages(moved.reply_queue) == 5
    assert requests.take() == []
    answer(copy, "--copy")
    assert copy.states() == {"cancelled": 20}
    answer(moved, "--moved")
    assert moved.states() == BACKED_UP
    assert moved.sql(LATEST) == [(True,)]
    moved.sql(AT_ONCE)
    moved.start_relay()
    assert moved.wait_until_finished() == {"done": 19, "cancelled": 1}
    assert moved.hits() == {1: 19, 0: 1}
    assert moved.vhost.messages(f"nameko_connector.dead-{moved.identity}") == 5
    again = [message.headers["nameko.idempotency_id"] for message in requests.take()]
    assert sorted(again) == sorted(uuid for (uuid,) in moved.sql(UUIDS, "done"))
