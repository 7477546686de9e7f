"""The REST API: a real waitress, real services, a real SMTP server."""

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from tests.services.processes import BIN, DIES_WITH_THE_TESTS, ROOT, free_port, running
from tests.services.smtp_server import SmtpServer
from tests.waiting import wait_until

KEY = "a-key-of-the-tests"
SUM = {"operation": "sum", "value": 30, "other": 10}


class Api:
    """A real `python -m services.api`."""

    def __init__(self, **environment):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [*DIES_WITH_THE_TESTS, sys.executable, "-W", "ignore", "-m", "services.api"],
            cwd=ROOT,
            env={**os.environ, "API_PORT": str(self.port), **environment},
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def _answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5) is not None
        except requests.ConnectionError:
            return False

    def compute(self, body=SUM, key=KEY, wait=None, timeout=20):
        return requests.post(
            f"{self.url}/compute",
            json=body,
            params={} if wait is None else {"wait": wait},
            headers={} if key is None else {"X-API-Key": key},
            timeout=timeout,
        )


@contextmanager
def serving(**environment):
    api = Api(**environment)
    try:
        yield api
    finally:
        api.process.kill()
        api.process.wait()


@pytest.fixture(scope="module")
def server():
    server = SmtpServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def environment(vhost, server, tmp_path_factory):
    return {
        "AMQP_URI": vhost.amqp_uri,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "MAIL_LEDGER": str(tmp_path_factory.mktemp("ledger")),
        "API_KEYS": f"another-key,{KEY}",
        "API_RATE_LIMIT": "1000000 per minute",
        "API_THREADS": "4",
    }


@pytest.fixture(scope="module")
def services(environment):
    with running("services", **environment) as process:
        yield process


@pytest.fixture(scope="module")
def api(services, environment):
    with serving(**environment) as api:
        yield api


def test_wait_answers_with_the_result(api):
    for operation, result in (("sum", 40), ("sub", 20), ("mul", 300), ("div", 3)):
        answer = api.compute(SUM | {"operation": operation}, wait="true")
        assert (answer.status_code, answer.json()) == (200, {"result": result})


def test_the_result_and_a_notification_are_mailed(api, server):
    answer = api.compute(SUM | {"email": "api@example.com"})
    assert answer.status_code == 202
    assert answer.text == "Please wait the calculation, you'll receive an email with results"

    def mails():
        return {m["Subject"]: m.get_content().strip() for m in list(server.accepted)}

    wait_until(lambda: len(mails()) == 2)
    assert mails() == {
        "API Notification": answer.text,
        "Your operation is complete!": "The result is: 40",
    }


def test_huge_integers_stay_exact(api):
    body = {"operation": "mul", "value": 10**1000 + 1, "other": str(10**1000 - 1)}
    assert api.compute(body, wait="true").json()["result"] == 10**2000 - 1


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (SUM | {"operation": "div", "other": 0}, "DivisionByZeroError"),
        (SUM | {"operation": "mul", "value": 1e300, "other": 1e300}, "NumberOutOfRangeError"),
        (SUM | {"operation": "pow"}, "InvalidRequest"),
        (SUM | {"value": True}, "InvalidRequest"),
        (SUM | {"value": "1_0"}, "InvalidRequest"),
        (SUM | {"value": "1e999"}, "InvalidRequest"),
        (SUM | {"email": "nobody"}, "InvalidRequest"),
        (SUM | {"more": 1}, "InvalidRequest"),
        ({}, "InvalidRequest"),
        ([], "InvalidRequest"),
        (None, "InvalidRequest"),
    ],
)
def test_errors_are_named(api, body, name):
    answer = api.compute(body, wait="true")
    assert answer.status_code == 422
    assert answer.json()["error"] == name
    assert answer.json()["message"]


def test_without_wait_an_email_is_needed(api):
    assert api.compute().json()["error"] == "MissingEmail"


@pytest.mark.parametrize(
    "key", [None, "", "wrong", KEY[:-1], f"another-key,{KEY}", "ключ".encode()]
)
def test_a_key_is_needed(api, key):
    assert api.compute(key=key, wait="true").status_code == 401


def test_any_of_the_keys_will_do(api):
    assert api.compute(key="another-key", wait="true").status_code == 200


def test_too_large_a_body(api):
    answer = api.compute(SUM | {"value": "1" * 200_000})
    assert answer.status_code == 413
    assert answer.json()["error"] == "RequestEntityTooLarge"


def test_health(api):
    answer = requests.get(f"{api.url}/health", timeout=5)
    assert answer.status_code == 200
    assert answer.json() == {
        "healthy": True,
        "broker": "reachable",
        "services": {
            name: {"instances": 1, "waiting": 0} for name in ("compute", "mail", "mail_delivery")
        },
    }


def test_swagger_ui_needs_no_internet(api):
    """Everything that the page and its styles name comes from this server."""
    page = requests.get(f"{api.url}/apidocs", timeout=5)
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any(asset.endswith(".js") for asset in assets)
    for asset in assets:
        assert "//" not in asset
        answer = requests.get(requests.compat.urljoin(page.url, asset), timeout=5)
        assert answer.status_code == 200, asset
        if asset.endswith(".css"):
            assert "@import" not in answer.text
    document = requests.get(f"{api.url}/apidocs/openapi.json", timeout=5).json()
    assert set(document["paths"]) == {"/compute", "/health"}


def test_many_at_once_get_their_own_answers(api):
    def ask(number):
        return api.compute({"operation": "sum", "value": number, "other": 0}, wait="true").json()

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(300)))
    assert answers == [{"result": number} for number in range(300)]


def test_connections_are_kept(api, vhost):
    def connections():
        return len(vhost.request("GET", f"vhosts/{vhost.name}/connections"))

    for _ in range(5):
        api.compute(wait="true")
    before = set(_reply_queues(vhost))
    for _ in range(50):
        api.compute(wait="true")
    assert len(set(_reply_queues(vhost)) - before) <= 1  # a proxy is renewed now and then
    assert connections() < 40


def _reply_queues(vhost):
    names = [queue["name"] for queue in vhost.request("GET", f"queues/{vhost.name}")]
    return [name for name in names if name.startswith("rpc.reply-standalone")]


def test_without_keys_it_refuses_to_start(environment):
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "services.api"],
        cwd=ROOT,
        env={**os.environ, **environment, "API_KEYS": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert finished.returncode == 1
    assert "set API_KEYS or API_KEYS_FILE, or API_OPEN=true" in finished.stderr


def test_it_can_be_told_to_be_open(environment, services):
    with serving(**environment | {"API_KEYS": "", "API_OPEN": "true"}) as api:
        assert api.compute(key=None, wait="true").json() == {"result": 40}


def test_the_rate_is_limited(environment, services):
    with serving(**environment | {"API_RATE_LIMIT": "3 per hour"}) as api:
        statuses = [api.compute(wait="true").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert api.compute(wait="true").json()["error"] == "RateLimitExceeded"
        assert api.compute(key="another-key", wait="true").status_code == 200


def test_an_open_api_counts_addresses_whatever_key_is_sent(environment, services):
    options = {"API_KEYS": "", "API_OPEN": "true", "API_RATE_LIMIT": "2 per hour"}
    with serving(**environment | options) as api:
        statuses = [api.compute(key=f"key-{n}", wait="true").status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_services_that_are_away_are_said_to_be(environment, fresh_vhost):
    options = {"AMQP_URI": fresh_vhost.amqp_uri, "API_TIMEOUT": "0.5"}
    with serving(**environment | options) as api:
        assert requests.get(f"{api.url}/health", timeout=5).status_code == 503
        answer = api.compute(wait="true")
        assert (answer.status_code, answer.json()["error"]) == (503, "UnknownService")
        with running("services.compute", **environment | options):
            assert api.compute(wait="true").status_code == 200
        wait_until(lambda: requests.get(f"{api.url}/health", timeout=5).status_code == 503)
        assert api.compute(wait="true").status_code == 504
        with running("services.compute", **environment | options):
            assert api.compute(wait="true").json() == {"result": 40}


def test_a_broker_that_is_away_is_said_to_be(environment):
    with serving(**environment | {"AMQP_URI": f"pyamqp://127.0.0.1:{free_port()}"}) as api:
        answer = requests.get(f"{api.url}/health", timeout=10)
        assert (answer.status_code, answer.json()["broker"]) == (503, "ConnectionRefusedError")
        assert api.compute(wait="true").status_code == 503


def test_sigterm_finishes_what_is_in_hand(environment, services):
    with serving(**environment) as api:
        answers, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    answers.append(api.compute(wait="true").status_code)
                except requests.ConnectionError:
                    return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 50)
        api.process.terminate()
        assert api.process.wait(15) == 0
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}


def test_the_api_is_as_its_document_says(api, tmp_path):
    """At least 1,000 cases: no 5xx, and no answer that the document does not know.

    One check is left out: that whatever fits the document is accepted. A division by zero fits it.
    """
    finished = subprocess.run(
        [
            *(BIN / "schemathesis", "run", f"{api.url}/apidocs/openapi.json", "--no-color"),
            *("--header", f"X-API-Key: {KEY}", "--max-examples", "1000", "--workers", "2"),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert int(re.search(r"(\d+) generated", finished.stdout).group(1)) >= 1000
