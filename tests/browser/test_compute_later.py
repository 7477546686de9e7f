"""Computations that come later, through the stack's own relay, services and web client."""

import pytest
from playwright.sync_api import Page, expect

from stack.web import WebClient
from tests.conftest import Stack
from tests.waiting import wait_until

PRIMES_BELOW = {500_000_000: 26_355_867}


@pytest.fixture
def client(stack: Stack) -> WebClient:
    return stack.web_client()


def make(client: WebClient, **values: object) -> int:
    return client.save("nameko.compute", {"name": "Later", **values}, ["id"])["id"]


def read(client: WebClient, computation: int) -> dict:
    fields = ["state", "result", "progress", "error"]
    return client.call("nameko.compute", "read", [computation], fields)[0]


@pytest.mark.parametrize("operation", ["sum", "sub", "mul", "div"])
def test_later_gives_what_now_gives(client: WebClient, operation: str):
    values = {"operation": operation, "value": 10.5, "other": 4}
    now, later = make(client, **values), make(client, **values)
    client.click("nameko.compute", "action_compute", [now])
    client.click("nameko.compute", "action_compute_later", [later])
    wait_until(lambda: read(client, later)["state"] != "queued")
    assert read(client, later)["state"] == "done"
    assert read(client, later)["result"] == read(client, now)["result"]


def test_error_of_the_service_is_the_computation_s(client: WebClient):
    computation = make(client, operation="div", value=1, other=0)
    client.click("nameko.compute", "action_compute_later", [computation])
    wait_until(lambda: read(client, computation)["state"] == "failed")
    assert "zero" in read(client, computation)["error"]


def test_primes_are_counted_later_with_progress(client: WebClient):
    ((limit, count),) = PRIMES_BELOW.items()
    computation = make(client, operation="prime_count", value=limit, other=0)
    client.click("nameko.compute", "action_compute_later", [computation])
    wait_until(lambda: 0 < read(client, computation)["progress"] < 100)
    wait_until(lambda: read(client, computation)["state"] == "done")
    assert read(client, computation)["result"] == count


def test_form_shows_the_result_when_it_comes(stack: Stack, page: Page, client: WebClient):
    computation = make(client, operation="prime_count", value=50_000_000, other=0)
    page.goto(f"{stack.odoo_url}/odoo/computations/{computation}")
    page.click("button[name=action_compute_later]")
    expect(page.locator(".o_field_widget[name=progress]")).to_be_visible()
    expect(page.locator(".o_field_widget[name=result]")).to_have_text("3,001,134")
    page.click("button[name=action_nameko_jobs]")
    expect(page.locator(".o_list_view .o_data_row")).to_have_count(1)
    page.click(".o_data_row .o_data_cell >> nth=0")
    expect(page.locator(".o_statusbar_status .o_arrow_button_current")).to_have_text("Done")
