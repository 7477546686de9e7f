"""Work that has its effect once: over deliveries, processes and their sudden death."""

import signal
import subprocess
import sys
import time
import uuid

import psycopg2
import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from services.exceptions import ConfigurationError
from services.idempotency.locks import HeldError
from services.idempotency.store import KEPT, open_store
from tests.processes import running
from tests.services.compute.once_service import lines
from tests.services.durable_client import DurableClient
from tests.waiting import wait_until

SERVICE = "tests.services.compute.once_service"
DATABASE = "nameko_idempotency_test"
HOLD = """
import signal, sys
from services.idempotency.store import open_store
with open_store(sys.argv[1], 90).claim(sys.argv[2], "test"):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL database for the tests of this module."""
    connection = psycopg2.connect(dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    yield f"postgresql:///{DATABASE}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    connection.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request, tmp_path_factory):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('idempotency')}/folder/store"
    return request.getfixturevalue("database")


@pytest.fixture
def store(url):
    return open_store(url, 90)


@pytest.fixture
def key():
    return str(uuid.uuid4())


def test_what_was_kept_is_known_by_all(store, url, key):
    with store.claim(key, "test") as claim:
        assert claim.value is None
        claim.keep("value")
    open_store.cache_clear()
    with open_store(url, 90).claim(key, "test") as claim:
        assert claim.value == "value"


def test_what_is_claimed_is_held(store, key):
    with store.claim(key, "test"):
        with pytest.raises(HeldError), store.claim(key, "test"):
            pass
        with store.claim(f"{key} and more", "test"):
            pass
    with store.claim(key, "test"):
        pass


def test_the_dead_hold_nothing(store, url, key):
    command = [sys.executable, "-W", "ignore", "-c", HOLD, url, key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HeldError), store.claim(key, "test"):
            pass
        other.send_signal(signal.SIGKILL)
    assert wait_until(lambda: claimed(store, key))


def claimed(store, key):
    try:
        with store.claim(key, "test"):
            return True
    except HeldError:
        return False


def test_a_lost_session_holds_nothing_and_stops_nothing(database, key):
    store = open_store(database, 90)
    with store.claim(key, "test") as claim:
        end_sessions()
        claim.keep("value")
    with store.claim(key, "test") as claim:
        assert claim.value == "value"


def end_sessions():
    with psycopg2.connect(dbname="postgres") as connection, connection.cursor() as cursor:
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        cursor.execute(ending, [DATABASE])
    connection.close()


def test_a_store_that_cannot_be_written_does_not_raise(store, key, caplog):
    with store.claim(key, "test") as claim:
        KEPT.drop(store._engine)
        claim.keep("value")
    store._create()
    assert "cannot be kept" in caplog.text


def test_what_is_old_is_forgotten(store, key):
    for each in (key, f"{key} new"):
        with store.claim(each, "test") as claim:
            claim.keep("value")
    with store._engine.begin() as connection:
        old = update(KEPT).where(KEPT.c.key == claim._key).values(kept_at=time.time() - 91 * 86400)
        connection.execute(old)
    store.forget()
    with store.claim(f"{key} new", "test") as claim:
        assert claim.value is None
    with store.claim(key, "test") as claim:
        assert claim.value == "value"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/database", "sqlite://", "sqlite:///:memory:"]
)
def test_a_url_that_names_no_database_is_refused(url):
    with pytest.raises(ConfigurationError, match="IDEMPOTENCY_URL names no"):
        open_store(url, 90)


def test_a_database_that_is_away_is_said_to_be(key):
    store = open_store("postgresql://nobody:secret@127.0.0.1:1/none", 90)
    with pytest.raises(OperationalError) as raised, store.claim(key, "test"):
        pass
    assert "secret" not in str(raised.value)


# Requests


@pytest.fixture(scope="module")
def client(vhost, url):
    """A client of an instance with this store."""
    with running(SERVICE, AMQP_URI=vhost.amqp_uri, IDEMPOTENCY_URL=url):
        yield DurableClient(vhost.amqp_uri)


def results(client, ids):
    return [reply["result"] for reply in client.wait_for(ids)]


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "lines")


def request_ids():
    """Headers of a request that comes again."""
    return {"nameko.idempotency_id": str(uuid.uuid4())}


def test_a_request_that_comes_again_is_answered_from_the_store(client, file):
    same = request_ids()
    (first,) = results(client, client.request("once.work", (file, "a"), **same))
    again = client.request("once.work", *[(file, "a")] * 20, **same)
    assert results(client, again) == [first] * 20
    assert lines(file) == 1


def test_at_the_same_moment_only_one_runs(client, file):
    ids = client.request("once.work", *[(file, "a", 1)] * 8, **request_ids())
    assert {reply["lines"] for reply in results(client, ids)} == {1}
    assert lines(file) == 1


def test_other_arguments_methods_ids_and_calls_are_other_requests(client, file):
    same = request_ids()
    ids = client.request("once.work", (file, "a"), (file, "b"), **same)
    ids += client.request("once.work_twice", (file, "a"), **same)
    ids += client.request("once.work", (file, "a"), **request_ids())
    ids += client.request("once.work", (file, "a"), (file, "a"))  # without an id: two requests
    results(client, ids)
    assert lines(file) == 7


def test_an_error_is_not_kept(client, file):
    same = request_ids()
    first = client.request("once.fail_first", (file, "a"), **same)
    assert client.wait_for(first)[0]["error"]["exc_type"] == "ValueError"
    again = client.request("once.fail_first", (file, "a"), (file, "a"), **same)
    assert results(client, again) == ["a", "a"]
    assert lines(file) == 2


def test_a_result_that_cannot_be_kept_is_not_made_again(client, file):
    same = request_ids()
    for error in ("UnserializableValueError", "ResultNotKeptError"):
        ids = client.request("once.return_no_json", (file, "a"), **same)
        assert client.wait_for(ids)[0]["error"]["exc_type"] == error
    assert lines(file) == 1


def test_a_process_that_dies_after_the_effect_does_not_repeat_it(fresh_vhost, url, file):
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "IDEMPOTENCY_URL": url}
    client = DurableClient(fresh_vhost.amqp_uri)
    with running(SERVICE, **environment) as process:
        ids = client.request("once.work_and_die", (file, "a"), **request_ids())
        assert process.wait(60) == 1
    with running(SERVICE, **environment):
        assert results(client, ids) == ["a"]
    assert lines(file) == 1


@pytest.mark.slow
def test_a_request_waits_in_its_queue_while_the_same_runs_elsewhere(fresh_vhost, url, file):
    """Longer than a worker waits; other requests are answered meanwhile."""
    environment = {"AMQP_URI": fresh_vhost.amqp_uri, "IDEMPOTENCY_URL": url, "MAX_WORKERS": "2"}
    client, same = DurableClient(fresh_vhost.amqp_uri), request_ids()
    with running(SERVICE, **environment), running(SERVICE, **environment):
        ids = client.request("once.work", *[(file, "slow", 12)] * 3, **same)
        wait_until(lambda: lines(file) == 1)
        others = client.request("once.work", *[(file, "fast")] * 10)
        results(client, others)
        assert not set(ids) & set(client.take())
        assert {reply["lines"] for reply in results(client, ids)} == {1}
    assert lines(file) == 11
