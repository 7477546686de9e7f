"""From a transaction to the result in a record, through real processes."""

import os
import signal
import sys
import time

from tests.jobs.world import HERE, ODOO, World
from tests.waiting import wait_until

WAITED = "SELECT max(sent_at) < clock_timestamp() - interval '2 seconds' FROM nameko_job"
OPEN_SINCE_THEY_WERE_SENT = """
    SELECT pid, application_name, query FROM pg_stat_activity
     WHERE datname = current_database()
       AND xact_start <= (SELECT max(sent_at) FROM nameko_job)
"""


def test_results_are_written_once(served: World):
    served.make(300)
    assert served.wait_until_finished() == {"done": 300}
    assert served.hits() == {1: 300}
    wrong = served.sql("SELECT count(*) FROM nameko_job_probe WHERE result <> number + 1")
    assert wrong == [(0,)]


def test_result_field_of_many_records(served: World):
    served.make(300, result_field="result", on_result=None)
    assert served.wait_until_finished() == {"done": 300}
    wrong = served.sql("SELECT count(*) FROM nameko_job_probe WHERE result <> number + 1")
    assert wrong == [(0,)]


def test_rolled_back_transaction_sends_nothing(served: World):
    with served.env() as env:
        env["nameko.job.probe"].make(5)
        env.cr.rollback()
    served.make(1)
    served.wait_until_finished()
    assert served.ran() == ["0"]
    assert served.states() == {"done": 1}


def test_process_killed_before_commit_sends_nothing(served: World):
    script = served.start("maker", [sys.executable, HERE / "uncommitted.py", served.database])
    script.wait_for_log("created")
    script.kill()
    served.make(1)
    served.wait_until_finished()
    assert served.ran() == ["0"]


def test_result_is_written_as_the_user_who_asked(served: World):
    with served.env() as env:
        company = env["res.company"].create({"name": f"Company {time.time()}"})
        env["res.lang"]._activate_lang("es_ES")
        user = env["res.users"].create(
            {
                "name": "Asker",
                "login": f"asker{time.time()}",
                "lang": "es_ES",
                "company_id": company.id,
                "company_ids": [(6, 0, company.ids)],
            }
        )
        probe = env["nameko.job.probe"].with_user(user).with_context(lang="es_ES")
        record = probe.browse(probe.make(1))
    served.wait_until_finished()
    with served.env() as env:
        record = record.with_env(env)
        assert record.written_by_id.id == user.id
        assert record.written_for_id.id == company.id
        assert record.written_in == "es_ES"


def test_eta_is_awaited(served: World):
    with served.env() as env:
        env.cr.execute("SELECT now() AT TIME ZONE 'UTC' + interval '1 hour'")
        (eta,) = env.cr.fetchone()
        (record,) = env["nameko.job.probe"].create([{"number": 1}])
        env["nameko.rpc"].delay_many([record._request("probe", "add", eta=eta)])
    served.make(1)
    wait_until(lambda: served.states().get("done") == 1)
    assert served.states() == {"done": 1, "pending": 1}
    ((eta,),) = served.sql(
        "UPDATE nameko_job SET eta = now() AT TIME ZONE 'UTC' + interval '2 seconds'"
        " WHERE state = 'pending' RETURNING eta"
    )
    assert served.wait_until_finished() == {"done": 2}
    assert served.sql("SELECT max(sent_at) >= %s FROM nameko_job", eta) == [(True,)]


def test_jobs_wait_for_a_service_that_is_down(world: World):
    service = world.start_service()
    service.kill()
    world.start_relay()
    world.make(20)
    wait_until(lambda: world.states() == {"sent": 20})
    world.start_service()
    assert world.wait_until_finished() == {"done": 20}


def test_waiting_jobs_hold_no_transaction_and_no_worker(served: World):
    served.make(5, method="take_seconds")
    wait_until(lambda: served.states() == {"sent": 5})
    wait_until(lambda: served.sql(WAITED) == [(True,)])
    assert served.sql(OPEN_SINCE_THEY_WERE_SENT) == []
    assert served.states() == {"sent": 5}


def test_sigterm_drains(world: World):
    relay = world.start_relay()
    world.start_service()
    world.make(2000)
    wait_until(lambda: world.states().get("done", 0) > 100)
    assert relay.terminate() == 0
    before = world.hits()
    assert set(before) <= {0, 1}
    world.start_relay()
    assert world.wait_until_finished() == {"done": 2000}
    assert world.hits() == {1: 2000}


def test_relay_says_whether_it_is_alive(world: World):
    alive = world.probe_file.with_suffix(".alive")
    check = [*ODOO, "nameko_relay", "-c", os.environ["ODOO_RC"], "-d", world.database]
    check += ["--check", f"--alive-file={alive}"]
    assert world.start("check", check).wait(60) == 1
    relay = world.start_relay(f"--alive-file={alive}")
    assert world.start("check", check).wait(60) == 0
    relay.signal(signal.SIGSTOP)
    old = time.time() - 3600
    os.utime(alive, (old, old))
    assert world.start("check", check).wait(60) == 1
    relay.signal(signal.SIGCONT)
