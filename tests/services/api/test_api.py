"""The REST API: a real waitress, real services, a real SMTP server."""

import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse

import pytest
import requests

from stack.layout import CHECKOUT
from tests.services.api import trial
from tests.services.api.rest_api import (
    KEY,
    SUM,
    reply_queues,
    serving,
)
from tests.waiting import wait_until


def test_wait_answers_with_the_result(api):
    for operation, result in (("sum", 40), ("sub", 20), ("mul", 300), ("div", 3)):
        answer = api.compute(SUM | {"operation": operation}, wait="true")
        assert (answer.status_code, answer.json()) == (200, {"result": result})


def test_the_result_and_a_notification_are_mailed(api, server):
    answer = api.compute(SUM | {"email": "api@example.com"})
    assert answer.status_code == 202
    assert answer.json() == {"message": "The result will be mailed to you."}

    def mails():
        return {m["Subject"]: m.get_content().strip() for m in list(server.accepted)}

    wait_until(lambda: len(mails()) == 2)
    assert mails() == {
        "API Notification": "The result will be mailed to you.",
        "Your operation is complete!": "The result is: 40",
    }


def test_huge_integers_stay_exact(api):
    body = {"operation": "mul", "value": 10**1000 + 1, "other": str(10**1000 - 1)}
    assert api.compute(body, wait="true").json()["result"] == 10**2000 - 1


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (SUM | {"operation": "div", "other": 0}, "DivisionByZeroError"),
        (SUM | {"operation": "mul", "value": 1e-300, "other": 1e-300}, "NumberOutOfRangeError"),
        (SUM | {"operation": "pow"}, "InvalidRequest"),
        (SUM | {"value": True}, "InvalidRequest"),
        (SUM | {"value": "1_0"}, "InvalidRequest"),
        (SUM | {"value": "1e999"}, "InvalidRequest"),
        (SUM | {"email": "nobody"}, "InvalidRequest"),
        (SUM | {"more": 1}, "InvalidRequest"),
        ({}, "InvalidRequest"),
        ([], "InvalidRequest"),
    ],
)
def test_errors_are_named(api, body, name):
    answer = api.compute(body, wait="true")
    assert answer.status_code == 422
    assert answer.json()["error"] == name
    assert answer.json()["message"]


@pytest.mark.parametrize("email", ["é@é.example", "=?utf-8?q?a=0D=0AX?=@example.com", "a@b\n"])
def test_an_address_that_mail_refuses_is_refused_at_once(api, email):
    answer = api.compute(SUM | {"email": email})
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidRequest")


def test_a_large_body_is_refused_before_it_is_sent(api):
    head = f"POST /compute HTTP/1.1\r\nHost: x\r\nContent-Length: {400 << 20}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), 10) as connection:
        connection.sendall(head.encode())
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413


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
        body = {"operation": "sum", "value": number, "other": 0}
        while (answer := api.compute(body, wait="true")).status_code == 503:
            time.sleep(float(answer.headers["Retry-After"]))  # a busy machine: as a client does
        return answer.json()

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(300)))
    assert answers == [{"result": number} for number in range(300)]


def test_connections_are_kept(api, vhost):
    def connections():
        return len(vhost.request("GET", f"vhosts/{vhost.name}/connections"))

    for _ in range(5):
        api.compute(wait="true")
    before = set(reply_queues(vhost))
    for _ in range(50):
        api.compute(wait="true")
    assert len(set(reply_queues(vhost)) - before) <= 1  # a proxy is renewed now and then
    assert connections() < 40


def test_without_keys_it_refuses_to_start(environment):
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "services.api"],
        cwd=CHECKOUT,
        env={**os.environ, **environment, "API_KEYS": ""},
        capture_output=True,
        text=True,
        timeout=120,
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
    log = api.output
    assert "ratelimit" in log  # the limiter logs each client that it refuses
    assert KEY not in log


def test_an_open_api_counts_addresses_whatever_key_is_sent(environment, services):
    options = {"API_KEYS": "", "API_OPEN": "true", "API_RATE_LIMIT": "2 per hour"}
    with serving(**environment | options) as api:
        statuses = [api.compute(key=f"key-{n}", wait="true").status_code for n in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_whatever_a_body_holds_the_answer_is_a_right_number_or_an_error(api):
    became = trial.send(api.url, 300)
    assert became["200"] > 20
    assert api.is_alive()
