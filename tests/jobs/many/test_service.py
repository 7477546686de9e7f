"""One relay service serves many databases: it finds them, and lets them go."""

import os
import signal
from datetime import datetime, timedelta, timezone

import psutil
import pytest

from tests.databases import run_outside
from tests.jobs.databases.elsewhere import answer, forget
from tests.jobs.many.many import PREFIX, Many, child, children, create, drop, wait_for_children
from tests.jobs.world import BUILD
from tests.processes import Process
from tests.waiting import PATIENCE, wait_until


def test_all_databases_are_served(many: Many):
    service = many.start("--idle-seconds=0.5")
    for name in "ab":
        many[name].make(5)
    for name in "ab":
        assert many[name].wait_until_finished() == {"done": 5}
    wait_for_children(service, 0)
    assert not service.logged(f"serves the database {PREFIX}c")
    with many["a"].env() as env:
        assert env["nameko.job"]._relay_runs()  # so the scheduled action does nothing
    many["a"].make(5)
    assert many["a"].wait_until_finished() == {"done": 10}
    wait_for_children(service, 0)


def test_new_database_is_found_and_dropped_one_let_go(many: Many):
    service = many.start()
    many["a"].make(1)
    create("new")
    many["new"].make(1)
    assert many["new"].wait_until_finished() == {"done": 1}
    ended = child(service, "new")
    forget(PREFIX + "new")
    run_outside("DROP DATABASE {}", PREFIX + "new")  # without force, while a child is connected
    service.wait_for_log(f"The database {PREFIX}new is gone")
    wait_until(lambda: not ended.is_running())
    assert many["a"].wait_until_finished() == {"done": 1}


def test_served_database_is_copied(many: Many):
    service = many.start("--idle-seconds=0.5")
    original = many["a"]
    original.make(1)
    assert original.wait_until_finished() == {"done": 1}
    drop("copy")
    forget(original.database)
    run_outside("CREATE DATABASE {} TEMPLATE {}", PREFIX + "copy", original.database)
    copy = many["copy"]
    try:
        copy.make(1)
        service.wait_for_log("This database was restored, copied or moved")
        wait_for_children(service, 0)
        assert copy.states() == {"done": 1, "pending": 1}
        original.make(1)
        assert original.wait_until_finished() == {"done": 2}
        answer(copy, "--copy")
        copy.make(1)
        assert copy.wait_until_finished() == {"done": 2, "cancelled": 1}
        assert service.output.count("This database was restored, copied or moved") == 1
    finally:
        many.close()
        drop("copy")


def test_job_whose_time_comes(many: Many):
    service = many.start("--idle-seconds=0.5", only="a")
    eta = datetime.now(timezone.utc) + timedelta(seconds=3)
    many["a"].make(1, eta=eta)
    wait_until(lambda: many["a"].states() == {"done": 1})
    wait_for_children(service, 0)


def test_module_that_is_to_be_updated(many: Many):
    change = "UPDATE ir_module_module SET state = %s WHERE name = 'nameko_job_probe'"
    service = many.start()
    many["a"].make(1)
    assert many["a"].wait_until_finished() == {"done": 1}
    many["a"].sql(change, "to upgrade")
    wait_for_children(service, 0)
    many["a"].make(1)
    many["b"].make(1)
    assert many["b"].wait_until_finished() == {"done": 1}
    assert many["a"].states() == {"done": 1, "pending": 1}
    many["a"].sql(change, "installed")
    assert many["a"].wait_until_finished() == {"done": 2}


def test_sign_of_life(many: Many):
    alive = f"--alive-file={BUILD / 'service.alive'}"
    service = many.start(alive, only="a")
    wait_until(lambda: check(many, alive) == 0)
    service.terminate()
    os.utime(BUILD / "service.alive", (0, 0))
    assert check(many, alive) == 1


def check(many: Many, alive: str) -> int:
    return many.start("--check", alive, wait=False).wait()


# The end of processes


def test_killed_child_is_replaced(many: Many):
    service = many.start()
    for name in "ab":
        many[name].make(1)
    killed, other = child(service, "a"), child(service, "b")
    killed.kill()
    service.wait_for_log(f"The database {PREFIX}a waits: its relay has ended with -9")
    many["a"].make(1)
    assert many["a"].wait_until_finished() == {"done": 2}
    assert child(service, "b") == other
    assert child(service, "a") != killed


def test_killed_service_leaves_no_child(many: Many):
    service = many.start()
    for name in "ab":
        many[name].make(1)
    started = [child(service, name) for name in "ab"]
    service.kill()
    psutil.wait_procs(started, PATIENCE)
    assert not any(each.is_running() for each in started)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_drains(many: Many, number: int):
    service = many.start()
    for name in "ab":
        many[name].make(300)
    started = [child(service, name) for name in "ab"]
    assert end(service, number) == 0
    assert not any(each.is_running() for each in started)
    assert service.output.count("The relay has stopped") == len(started)
    many.start()
    for name in "ab":
        assert many[name].wait_until_finished() == {"done": 300}
        assert many[name].hits() == {1: 300}


def end(service: Process, number: int) -> int:
    service.signal(number)
    return service.wait()


def test_no_child_without_work(many: Many):
    service = many.start()
    for name in "abc":
        wait_until(lambda n=name: _relay_runs(many, n))
    assert children(service) == []


def _relay_runs(many: Many, name: str) -> bool:
    with many[name].env() as env:
        return bool(env["nameko.job"]._relay_runs())
