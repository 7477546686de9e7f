"""The catalogue, the settings and the rights on them, over the web."""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from stack.web import OdooRefused, WebClient
from tests.browser.screenshots.catalogue import open_services, open_settings
from tests.conftest import Stack
from tests.waiting import wait_until

USER = "nameko_connector.group_nameko_user"
REFUSED = {
    "nameko.rpc": ("call", "call_many", "delay", "delay_many"),
    "nameko.instance": ("keep", "search_read"),
    "nameko.service": ("action_refresh_queue", "search_read"),
    "nameko.method": ("search_read",),
    "res.config.settings": ("action_nameko_test_connection",),
}


@pytest.fixture
def admin(stack: Stack) -> WebClient:
    client = stack.web_client()
    wait_until(lambda: client.call("nameko.service", "search", []), what="a beat")
    return client


@pytest.fixture(params=["base.group_user", USER, "base.group_portal"])
def stranger(request, admin: WebClient, stack: Stack) -> Iterator[WebClient]:
    """Somebody logged in who is no manager."""
    module, _, name = request.param.partition(".")
    domain = [("module", "=", module), ("name", "=", name)]
    (group,) = admin.call("ir.model.data", "search_read", domain, ["res_id"])
    login = password = uuid.uuid4().hex
    values = {"name": login, "login": login, "password": password}
    user = admin.call("res.users", "create", {**values, "group_ids": [(6, 0, [group["res_id"]])]})
    yield stack.web_client(login, password)
    admin.call("res.users", "write", user, {"active": False})


def test_strangers_are_refused(stranger: WebClient, admin: WebClient):
    with pytest.raises(OdooRefused) as caught:
        stranger.call("nameko.service", "unlink", admin.call("nameko.service", "search", []))
    assert caught.value.name == "odoo.exceptions.AccessError"
    for model, methods in REFUSED.items():
        for method in methods:
            with pytest.raises(OdooRefused) as caught:
                stranger.call(model, method, [])
            assert caught.value.name == "odoo.exceptions.AccessError", f"{model}.{method}"


def test_services_are_cards_with_their_state(page: Page, admin: WebClient):
    open_services(page)
    card = page.locator(".o_kanban_record:has-text('compute')").first
    expect(card.locator("[name=state]")).to_have_text("Up")
    expect(card).to_contain_text("1 up")
    card.click()
    expect(page.locator("[name=method_ids]")).to_contain_text("(value1: Any, value2: Any)")
    page.click("button[name=action_refresh_queue]")
    expect(page.locator("[name=queue_consumers]")).to_have_text(re.compile("[1-9]"))


def test_settings_show_the_broker_and_try_it(page: Page, admin: WebClient, stack: Stack):
    open_settings(page)
    password = stack.amqp_uri.split(":")[2].split("@")[0]
    address = stack.amqp_uri.replace(f":{password}", "")
    expect(page.locator("[name=nameko_broker]")).to_have_text(address)
    page.click("button[name=action_nameko_test_connection]")
    expect(page.locator(".o_notification", has_text="compute (1)")).to_be_visible()
    assert password not in page.content()


def test_settings_say_that_the_broker_is_away(page: Page, admin: WebClient, faults):
    open_settings(page)
    faults.stop("rabbitmq")
    page.click("button[name=action_nameko_test_connection]")
    message = "takes no connections on port"
    expect(page.locator(".o_notification", has_text=message)).to_be_visible()


def test_settings_refuse_what_cannot_be(page: Page, admin: WebClient):
    open_settings(page)
    page.fill("[name=nameko_job_retry_delays] input", "10; 60")
    page.click(".o_form_button_save")
    expect(page.locator(".modal-dialog")).to_contain_text("separated by commas")
