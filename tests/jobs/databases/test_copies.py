"""A copied, restored or moved database does nothing until somebody says which it is."""

from collections.abc import Iterator

import pytest

from tests.databases import run_outside
from tests.jobs.databases.elsewhere import (
    ACTIVITIES,
    UNTOUCHED,
    answer,
    forget,
    make_some_sent,
)
from tests.jobs.outages.test_fallback import CRON
from tests.jobs.world import BUILD, ODOO, World, odoo_options
from tests.waiting import wait_until

COPY = "nameko_jobs_copy"


@pytest.fixture
def original(world: World) -> World:
    """A database whose jobs are sent or pending, while nothing runs."""
    make_some_sent(world)
    return world


@pytest.fixture
def copy(original: World) -> Iterator[World]:
    """The world after its database has been copied."""
    from odoo.sql_db import close_db  # noqa: PLC0415

    close_db(original.database)
    run_outside("DROP DATABASE IF EXISTS {}", COPY)
    run_outside("CREATE DATABASE {} TEMPLATE {}", COPY, original.database)
    copied = original.beside(COPY)
    yield copied
    for program in copied.programs:
        program.kill()
    forget(COPY)
    run_outside("DROP DATABASE {} WITH (FORCE)", COPY)


def test_nothing_happens_before_somebody_has_answered(original: World, copy: World):
    alive = BUILD / "asking.alive"
    relay = copy.start_relay(f"--alive-file={alive}", wait=False)
    relay.wait_for_log("The relay waits")
    wait_until(lambda: copy.sql(ACTIVITIES) == [(1,)], what="the activity")
    check = copy.start_relay("--check", f"--alive-file={alive}", wait=False)
    assert check.wait(60) == 1
    assert "This database was restored, copied or moved" in check.output
    original.start_service()
    original.start_relay()
    assert original.wait_until_finished() == {"done": 20}
    assert copy.states() == UNTOUCHED
    assert copy.identity == original.identity
    answer(copy, "--copy")
    relay.wait_for_log("The relay serves")
    assert relay.output.count("The relay waits") == 1
    assert copy.sql(ACTIVITIES) == [(0,)]


def test_scheduled_actions_ask_as_well(copy: World):
    for _ in range(2):
        with copy.env() as env:
            env["nameko.job"]._cron_move_jobs()
            env["nameko.instance"]._cron_keep()
    assert copy.states() == UNTOUCHED
    assert copy.sql(ACTIVITIES) == [(1,)]
    with copy.env() as env:
        env["res.config.settings"].create({}).action_nameko_moved()
        assert not env["res.config.settings"].create({}).nameko_asks
    assert copy.sql(ACTIVITIES) == [(0,)]
    copy.start_service()
    copy.sql("UPDATE ir_cron SET active = true WHERE id = %s", *copy.sql(CRON)[0])
    command = [*ODOO, "server", *odoo_options(COPY), "--no-http", "--max-cron-threads=1"]
    copy.start("odoo", command)
    assert copy.wait_until_finished(240) == {"done": 20}  # Odoo looks once a minute


def test_calls_are_refused_until_somebody_has_answered(copy: World):
    from odoo.addons.nameko_connector.exceptions import DatabaseNotConfirmed  # noqa: PLC0415

    with copy.env() as env:
        for call in (env["nameko.rpc"].call, lambda *_: env["nameko.rpc"].call_many([])):
            with pytest.raises(DatabaseNotConfirmed):
                call("probe", "add", 1)
        env["nameko.database"]._answer_copy()
        assert env["nameko.rpc"].call_many([]) == []


def test_copy_disowns_the_jobs_of_its_original(original: World, copy: World):
    assert "Done" in answer(copy, "--copy")
    copy.start_relay()
    assert copy.states() == {"cancelled": 20}
    original.start_service()
    original.start_relay()
    assert original.wait_until_finished() == {"done": 20}
    assert original.hits() == {1: 20}
    assert copy.hits() == {0: 20}
    assert len(original.ran()) == 20


def test_copy_has_jobs_of_its_own(original: World, copy: World):
    answer(copy, "--copy")
    copy.start_relay()
    original.start_relay()
    original.start_service()
    copy.make(5)
    assert copy.wait_until_finished() == {"cancelled": 20, "done": 5}
    assert original.wait_until_finished() == {"done": 20}


def test_answer_counts_once(copy: World):
    answer(copy, "--copy")
    copy.make(3)
    identity = copy.identity
    for option in ("--copy", "--moved"):
        assert "Nothing was changed" in answer(copy, option)
    assert copy.states() == {"cancelled": 20, "pending": 3}
    assert copy.identity == identity


def test_restored_database_goes_on(copy: World):
    answer(copy, "--moved")
    copy.start_service()
    copy.start_relay()
    assert copy.wait_until_finished() == {"done": 20}
    assert len(copy.ran()) == 20


def test_answers_that_the_lost_database_took_are_asked_for_again(original: World, copy: World):
    """Those sent before the backup was made have their results in the lost database alone."""
    copy.start_service()
    lost = original.start_relay()
    assert original.wait_until_finished() == {"done": 20}
    lost.terminate()
    copy.sql("UPDATE nameko_job SET max_attempts = attempts WHERE state = 'sent'")
    answer(copy, "--moved")
    late = "SELECT count(*) FROM nameko_job WHERE state = 'sent' AND deadline > now() AT TIME ZONE"
    assert copy.sql(late + " 'UTC' + interval '5 minutes'") == [(0,)]
    copy.sql("UPDATE nameko_job SET deadline = now() AT TIME ZONE 'UTC' WHERE state = 'sent'")
    copy.sql("UPDATE nameko_job SET retry_delays = '0'")
    copy.start_relay()
    assert copy.wait_until_finished() == {"done": 20}
    assert copy.hits() == {1: 20}


def test_physical_copy_is_made_to_ask(original: World):
    """A place that is the same tells nothing; the administrator does."""
    answer(original, "--ask")
    relay = original.start_relay(wait=False)
    relay.wait_for_log("The relay waits")
    assert original.states() == UNTOUCHED
    answer(original, "--copy")
    relay.wait_for_log("The relay serves")
    assert original.states() == {"cancelled": 20}


def test_neutralized_copy_sends_nothing(copy: World):
    neutralize = [*ODOO, "neutralize", "-d", COPY]
    assert copy.start("neutralize", neutralize).wait(60) == 0
    assert copy.states() == {"cancelled": 20}
    copy.make(3)
    relay = copy.start_relay(wait=False)
    relay.wait_for_log("This database is neutralized")
    assert copy.states() == {"cancelled": 20, "pending": 3}
